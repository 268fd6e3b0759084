package service

import (
	"context"
	"errors"
	"path"
	"path/filepath"

	"github.com/sluice-cd/sluice"
)

// A Bundle is a deploy file with the files that it needs, and what the caller adds to it: a [Source] that can travel.
type Bundle struct {
	File        string              `json:"file"`  // the deploy file, one of Files
	Files       map[string][]byte   `json:"files"` // by path relative to the directory that manifests cannot leave
	Targets     []string            `json:"targets,omitempty"`
	Context     map[string]string   `json:"context,omitempty"`
	Application string              `json:"application,omitempty"`
	Images      map[string]string   `json:"images,omitempty"`
	Strict      bool                `json:"strict,omitempty"`
	TakeOver    []string            `json:"takeOver,omitempty"`
	Replace     sluice.DeploymentID `json:"replace,omitempty"`
	Fetch       bool                `json:"fetch,omitempty"` // also read manifests from https addresses
}

// Pack returns the bundle of the source: every file that compiling it reads. Mistakes are left in it, because whoever
// compiles the bundle knows more and reports them at the same places.
func Pack(ctx context.Context, s Source, in Surroundings) (Bundle, error) {
	b := Bundle{
		Files: map[string][]byte{}, Targets: s.Targets, Context: s.Context, Application: s.Application, Images: s.Images,
		Strict: s.Strict, TakeOver: s.TakeOver, Replace: s.Replace, Fetch: s.Fetch != nil,
	}
	if err := s.checkInside(); err != nil {
		return b, err
	}
	b.File = path.Join(below(s.root(), filepath.Dir(s.File)), filepath.Base(s.File))
	s.Read = func(name string, content []byte) { b.Files[name] = content }
	_, err := Compile(ctx, s, in)
	if _, mistakes := errors.AsType[sluice.Diagnostics](err); mistakes {
		err = nil
	}
	return b, err
}

// checkInside refuses a deploy file that is not below the root, because its manifests are looked up from there.
func (s Source) checkInside() error {
	if s.File == "" || s.Root == "" {
		return nil
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
