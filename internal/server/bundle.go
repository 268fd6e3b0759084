package server

import (
	"context"
	"errors"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/service"
)

// The bounds of a bundle.
const (
	MaxBundle      = 16 << 20 // bytes of all files
	MaxBundleFiles = 2000
)

// bundlePrefix begins the names of directories of bundles.
const bundlePrefix = "bundle-"

// Sweep deletes what a killed server left in the directory of bundles. No other server may use the directory.
func Sweep(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, bundlePrefix+"*"))
	for _, each := range left {
		err = errors.Join(err, os.RemoveAll(each))
	}
	if err != nil {
		return sluice.Errorf(sluice.Unavailable, "a bundle of an earlier server cannot be deleted: %w", err)
	}
	return nil
}

// unpack writes the bundle into a directory of its own. The source names the deploy file there. remove deletes the
// directory.
func (s *Server) unpack(b service.Bundle) (source service.Source, remove func(), err error) {
	if err := checkBundle(b); err != nil {
		return source, nil, err
	}
	dir, err := os.MkdirTemp(s.Dir, bundlePrefix)
	if err != nil {
		return source, nil, sluice.Errorf(sluice.Exhausted, "the bundle cannot be written: %w", err)
	}
	remove = func() {
		if err := os.RemoveAll(dir); err != nil {
			s.Logger.Warn("a bundle stays behind", "directory", dir, "error", err)
		}
	}
	if err := write(dir, b.Files); err != nil {
		remove()
		return source, nil, err
	}
	source = service.Source{
		File: filepath.Join(dir, filepath.FromSlash(b.File)), As: b.File, Root: dir, Targets: b.Targets, Context: b.Context,
		Application: b.Application, Images: b.Images, Strict: b.Strict, TakeOver: b.TakeOver, Replace: b.Replace,
	}
	if b.Fetch {
		source.Fetch = s.Fetch
	}
	return source, remove, nil
}

// checkBundle refuses a bundle whose files would be outside of its directory, are too large, or miss the deploy file.
func checkBundle(b service.Bundle) error {
	size := 0
	for name, content := range b.Files {
		size += len(content)
		if !filepath.IsLocal(name) || path.Clean(name) != name || name == "." || strings.ContainsAny(name, "\\\x00") {
			return sluice.Errorf(sluice.Invalid, "the bundle has a file outside of it: %q", name).
				WithHint("name files relative to the bundle, such as manifests/web.yaml")
		}
	}
	if size > MaxBundle || len(b.Files) > MaxBundleFiles {
		return sluice.Errorf(sluice.Invalid, "the bundle has %d files of together %d MiB; at most %d files of %d MiB fit",
			len(b.Files), size>>20, MaxBundleFiles, MaxBundle>>20).WithHint("leave out what the deploy file does not name")
	}
	if _, ok := b.Files[b.File]; !ok {
		return sluice.Errorf(sluice.Invalid, "the bundle has no file %q, which it names as its deploy file", b.File)
	}
	return nil
}

func write(dir string, files map[string][]byte) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return sluice.Errorf(sluice.Unavailable, "the bundle cannot be written: %w", err)
	}
	defer root.Close()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		local := filepath.FromSlash(name)
		err := root.MkdirAll(filepath.Dir(local), 0o700)
		if err == nil {
			err = root.WriteFile(local, files[name], 0o600)
		}
		if err != nil {
			return sluice.Errorf(sluice.Invalid, "the file %q of the bundle cannot be written: %w", name, reason(err)).
				WithHint("a name cannot be both a file and a directory")
		}
	}
	return nil
}

// reason returns the error without a path of this machine.
func reason(err error) error {
	if pe, ok := errors.AsType[*os.PathError](err); ok {
		return pe.Err
	}
	return err
}

// compile returns the plan of the bundle. Findings are at the places that the bundle names.
func (s *Server) compile(ctx context.Context, b service.Bundle) (service.Compiled, error) {
	source, remove, err := s.unpack(b)
	if err != nil {
		return service.Compiled{}, err
	}
	defer remove()
	in := s.Site.Surroundings()
	in.History = s.history
	return service.Compile(ctx, source, in)
}
