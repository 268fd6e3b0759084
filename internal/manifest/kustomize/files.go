package kustomize

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/sluice-cd/sluice/internal/regular"
)

// Bounds of what one rendering may read.
const (
	mostBytes = 16 << 20
	mostReads = 1000
)

// rootFiles shows a directory to the library as the whole file system, read-only. Absolute paths begin there.
type rootFiles struct {
	root    *os.Root
	bytes   int
	reads   int
	refused error // the first access that was not allowed
	dated   []string
	told    func(name string, content []byte) // nil: nobody is told
}

var _ filesys.FileSystem = (*rootFiles)(nil)

var errReadOnly = errors.New("the file system is read-only")

func name(p string) string {
	if n := strings.TrimPrefix(path.Join("/", filepath.ToSlash(p)), "/"); n != "" {
		return n
	}
	return "."
}

// ReadFile reads a regular file within the bounds. For a kustomization it returns the checked form.
func (f *rootFiles) ReadFile(p string) ([]byte, error) {
	data, err := f.read(name(p))
	if err != nil {
		return nil, err
	}
	if IsKustomization(p) {
		data, err = checked(name(p), data)
		f.note(name(p), data)
	} else {
		err = checkGrowth(name(p), data)
	}
	return data, f.refuse(err)
}

// note records the keys of a kustomization that have a newer form.
func (f *rootFiles) note(file string, data []byte) {
	var keys map[string]json.RawMessage
	if json.Unmarshal(data, &keys) != nil {
		return // it was refused
	}
	for _, key := range slices.Sorted(maps.Keys(outdated)) {
		said := fmt.Sprintf("%s: %s is out of date; write %s", file, key, outdated[key])
		if value := string(keys[key]); value != "" && value != "null" && !slices.Contains(f.dated, said) {
			f.dated = append(f.dated, said)
		}
	}
}

// outdated are the keys that the library accepts but has replaced.
var outdated = map[string]string{
	"bases": "resources", "commonLabels": "labels", "patchesJson6902": "patches", "patchesStrategicMerge": "patches",
	"vars": "replacements",
}

func (f *rootFiles) refuse(err error) error {
	if f.refused == nil {
		f.refused = err
	}
	return err
}

func (f *rootFiles) read(n string) ([]byte, error) {
	data, err := regular.Read(f.root.Stat, f.root.Open, n, int64(mostBytes-f.bytes))
	f.bytes += len(data)
	if f.reads++; errors.Is(err, regular.ErrTooLarge) || f.reads > mostReads {
		return nil, f.refuse(fmt.Errorf("it reads more than %d MiB or %d files", mostBytes>>20, mostReads))
	}
	if err == nil && f.told != nil {
		f.told(n, data)
	}
	return data, err
}

// Rendering opens no files otherwise, and it writes nothing.
func (f *rootFiles) Open(string) (filesys.File, error)   { return nil, errReadOnly }
func (f *rootFiles) Create(string) (filesys.File, error) { return nil, errReadOnly }
func (f *rootFiles) Mkdir(string) error                  { return errReadOnly }
func (f *rootFiles) MkdirAll(string) error               { return errReadOnly }
func (f *rootFiles) RemoveAll(string) error              { return errReadOnly }
func (f *rootFiles) WriteFile(string, []byte) error      { return errReadOnly }

// IsDir reports whether the path is a directory.
func (f *rootFiles) IsDir(p string) bool {
	info, err := f.root.Stat(name(p))
	return err == nil && info.IsDir()
}

// Exists reports whether there is anything at the path.
func (f *rootFiles) Exists(p string) bool {
	_, err := f.root.Stat(name(p))
	return err == nil
}

// ReadDir lists the names in a directory.
func (f *rootFiles) ReadDir(p string) ([]string, error) {
	entries, err := fs.ReadDir(f.root.FS(), name(p))
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

// CleanedAbs splits the path into its directory and its file.
func (f *rootFiles) CleanedAbs(p string) (filesys.ConfirmedDir, string, error) {
	info, err := f.root.Stat(name(p))
	if err != nil {
		return "", "", err
	}
	whole := path.Join("/", filepath.ToSlash(p))
	if info.IsDir() {
		return filesys.ConfirmedDir(whole), "", nil
	}
	return filesys.ConfirmedDir(path.Dir(whole)), path.Base(whole), nil
}

// Glob returns the paths that match the pattern.
func (f *rootFiles) Glob(pattern string) ([]string, error) {
	found, err := fs.Glob(f.root.FS(), name(pattern))
	for i, n := range found {
		found[i] = "/" + n
	}
	return found, err
}

// Walk visits everything below the path.
func (f *rootFiles) Walk(p string, visit filepath.WalkFunc) error {
	return fs.WalkDir(f.root.FS(), name(p), func(n string, d fs.DirEntry, err error) error {
		if err != nil {
			return visit("/"+n, nil, err)
		}
		info, err := d.Info()
		return visit("/"+n, info, err)
	})
}
