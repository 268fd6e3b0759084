package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

// Load returns the objects of one source, in the order in which they are written: of a file, of all .yaml and
// .yml files below a directory, or of inline text. Paths are relative to root and never leave it, also not
// through a symbolic link. Where GITHUB_WORKSPACE is set a leading "/" means root, as in files written for
// GitHub workflows. Findings about the source itself lie at src.Pos.
func Load(root string, src sluice.ManifestSource) ([]sluice.Object, sluice.Diagnostics) {
	l := loader{src: src}
	if src.Path == "" {
		l.inline()
		return l.objects, l.ds
	}
	name, ok := l.clean(root)
	if !ok {
		return nil, l.ds
	}
	r, err := os.OpenRoot(root)
	if err != nil {
		l.report(codePathUnreadable, "start Sluice where the deploy file lies", "the directory %s cannot be opened: %s", root, reason(err))
		return nil, l.ds
	}
	defer func() { _ = r.Close() }()
	l.root = r
	l.path(name)
	return l.objects, l.ds
}

type loader struct {
	src     sluice.ManifestSource
	root    *os.Root
	bytes   int64
	objects []sluice.Object
	ds      sluice.Diagnostics
}

func (l *loader) report(code, hint, format string, args ...any) {
	l.ds = append(l.ds, sluice.Diagnostic{Pos: l.src.Pos, Severity: sluice.SeverityError, Code: code,
		Message: fmt.Sprintf(format, args...), Hint: hint})
}

// The place of inline text in its file is not known, so its findings lie at the source and name their line.
func (l *loader) inline() {
	objects, ds := Parse(l.src.Pos.File, []byte(l.src.Inline))
	l.objects = objects
	for _, d := range ds {
		d.Message = fmt.Sprintf("line %d of the inline manifest: %s", d.Pos.Line, d.Message)
		d.Pos = l.src.Pos
		l.ds = append(l.ds, d)
	}
	if len(l.objects) == 0 && len(l.ds) == 0 {
		l.report(codeEmptySource, "write a manifest, or remove the entry", "the inline manifest holds no object")
	}
}

func (l *loader) clean(root string) (string, bool) {
	p := l.src.Path
	if strings.Contains(p, "://") {
		l.report(codeUnsupportedSource, "download it into the repository and name the file", "manifests from a URL are not supported yet: %s", p)
		return "", false
	}
	if strings.HasPrefix(p, "/") && os.Getenv("GITHUB_WORKSPACE") == "" {
		l.report(codePathOutside, "write it relative to "+or(root, "."), "the path %s is absolute", p)
		return "", false
	}
	name := path.Clean(strings.TrimLeft(filepath.ToSlash(p), "/"))
	if !filepath.IsLocal(name) {
		l.report(codePathOutside, "move the manifests below the deploy file's directory", "the path %s leaves the deploy file's directory", p)
		return "", false
	}
	return name, true
}

func (l *loader) path(name string) {
	info, err := l.root.Stat(name)
	if err != nil {
		l.fault(name, err)
		return
	}
	if !info.IsDir() {
		l.file(name)
		return
	}
	before := len(l.objects)
	if err := fs.WalkDir(l.root.FS(), name, l.visit); err != nil {
		l.fault(name, err)
	}
	if len(l.objects) == before && len(l.ds) == 0 {
		l.report(codeEmptySource, "only .yaml and .yml files are read", "the directory %s holds no object", name)
	}
}

func (l *loader) visit(name string, entry fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	if isKustomization(name) {
		l.objects = nil // what lies beside it is its input, not what it makes
		l.kustomize(name)
		return fs.SkipAll
	}
	ext := path.Ext(name)
	if entry.IsDir() || ext != ".yaml" && ext != ".yml" {
		return nil
	}
	l.file(name)
	if len(l.objects) > maxObjects {
		l.report(codeTooManyObjects, "split the directory", "there are more than %d objects in %s", maxObjects, l.src.Path)
		return fs.SkipAll
	}
	return nil
}

func isKustomization(name string) bool {
	return slices.Contains([]string{"kustomization.yaml", "kustomization.yml", "Kustomization"}, path.Base(name))
}

func (l *loader) kustomize(name string) {
	dir := path.Dir(name)
	l.report(codeUnsupportedSource, fmt.Sprintf("render it first: kustomize build %s > %s.yaml, and name that file", dir, strings.TrimSuffix(path.Base(dir), ".")+"rendered"),
		"kustomize directories are not supported yet: %s", dir)
}

func (l *loader) file(name string) {
	if isKustomization(name) {
		l.kustomize(name)
		return
	}
	data, err := l.read(name)
	if err != nil {
		l.fault(name, err)
		return
	}
	objects, ds := Parse(name, data)
	l.objects = append(l.objects, objects...)
	l.ds = append(l.ds, ds...)
}

var errTooLarge = errors.New("too large")

// read refuses what is not a regular file before it opens it: opening a pipe would wait for a writer.
func (l *loader) read(name string) ([]byte, error) {
	info, err := l.root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	f, err := l.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	l.bytes += int64(len(data))
	if err == nil && (len(data) > maxBytes || l.bytes > 4*maxBytes) {
		err = errTooLarge
	}
	return data, err
}

func (l *loader) fault(name string, err error) {
	switch {
	case errors.Is(err, errTooLarge):
		l.report(codePathUnreadable, "split it", "%s is larger than the %d MiB that are read of a file, or with the others than %d MiB", name, maxBytes>>20, 4*maxBytes>>20)
	case errors.Is(err, fs.ErrNotExist):
		l.report(codePathNotFound, l.suggest(name), "there is no file or directory %s", name)
	case strings.Contains(err.Error(), "path escapes"):
		l.report(codePathOutside, "copy the file instead of linking to it", "%s leaves the deploy file's directory through a symbolic link", name)
	default:
		l.report(codePathUnreadable, "make it a readable file", "%s cannot be read: %s", name, reason(err))
	}
}

// suggest walks down the path as far as it exists and names what comes nearest there.
func (l *loader) suggest(name string) string {
	dir, rest := ".", strings.Split(name, "/")
	for len(rest) > 1 {
		next := path.Join(dir, rest[0])
		if info, err := l.root.Stat(next); err != nil || !info.IsDir() {
			break
		}
		dir, rest = next, rest[1:]
	}
	entries, err := fs.ReadDir(l.root.FS(), dir)
	if err != nil {
		return "create it, or correct the path"
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if near := yamldoc.Nearest(rest[0], names); near != "" {
		return "did you mean " + path.Join(append([]string{dir, near}, rest[1:]...)...) + "?"
	}
	return "create it, or correct the path; paths are relative to " + l.root.Name()
}

// reason returns the cause without the operation and path that the message names itself.
func reason(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}
