package service

import (
	"context"
	"path"
	"path/filepath"

	"github.com/sluice-cd/sluice"
)

// A Bundle is a deploy file with the files that it needs, and what the caller adds to it: a [Source] that can travel.
type Bundle struct {
	File        string            // the deploy file, one of Files
	Files       map[string][]byte // by path relative to the directory that manifests cannot leave
	Targets     []string
	Context     map[string]string
	Application string
	Images      map[string]string
	Strict      bool
	TakeOver    []string
	Replace     sluice.DeploymentID
	Fetch       bool // also read manifests from https addresses
}

// Pack returns the bundle of the source: every file that compiling it reads, or without manifests every file that the
// deploy file includes. Mistakes that can be found without the accounts are the error.
func Pack(ctx context.Context, s Source, in Surroundings, manifests bool) (Bundle, error) {
	b := Bundle{
		Files: map[string][]byte{}, Targets: s.Targets, Context: s.Context, Application: s.Application, Images: s.Images,
		Strict: s.Strict, TakeOver: s.TakeOver, Replace: s.Replace, Fetch: s.Fetch != nil,
	}
	if err := s.checkInside(); err != nil {
		return b, err
	}
	b.File = path.Join(below(s.root(), filepath.Dir(s.File)), filepath.Base(s.File))
	s.Read = func(name string, content []byte) { b.Files[name] = content }
	ds, err := Validate(ctx, s, in, manifests)
	if err == nil && ds.HasErrors() {
		err = ds
	}
	return b, err
}

// checkInside refuses a deploy file that is not below the root, because its manifests are looked up from there.
func (s Source) checkInside() error {
	if s.File == "" || s.Root == "" {
		return nil
	}
	if err := s.checkRoot(); err != nil {
		return err
	}
	dir := filepath.Dir(s.File)
	whole, err := filepath.Abs(s.Root)
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err == nil {
		dir, err = filepath.Rel(whole, dir)
	}
	if err != nil || !filepath.IsLocal(dir) {
		return sluice.Errorf(sluice.Invalid, "the deploy file %s is not below %s, so it cannot be sent to a server", s.File,
			s.Root).WithHint("name a directory above it with --root")
	}
	return nil
}
