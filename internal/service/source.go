package service

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/deployfile"
)

// maxDeployFile limits the size of a deploy file.
const maxDeployFile = 4 << 20

// A Source is a deploy file and what the caller adds to it.
type Source struct {
	File        string
	Root        string // the directory that paths of manifests begin at and cannot leave; "": the deploy file's
	Targets     []string
	Context     map[string]string // wins over the file's own
	Application string            // replaces the file's
	Strict      bool              // warnings are errors
	Fetch       bool              // manifests may come from https addresses
}

// read returns the deploy file as declared, with all findings.
func (s Source) read() (*sluice.Spec, sluice.Diagnostics, error) {
	if s.File == "" {
		return nil, nil, sluice.Errorf(sluice.Invalid, "no deploy file is named").WithHint("add -f deploy.yaml")
	}
	f, err := os.Open(s.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, sluice.Errorf(sluice.NotFound, "there is no file %s", s.File).
			WithHint("name the deploy file with -f")
	}
	if err != nil {
		return nil, nil, sluice.Errorf(sluice.Invalid, "the deploy file cannot be read: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxDeployFile+1))
	if err != nil {
		return nil, nil, sluice.Errorf(sluice.Invalid, "the deploy file cannot be read: %w", err)
	}
	if len(data) > maxDeployFile {
		return nil, nil, sluice.Errorf(sluice.Invalid, "%s is larger than 4 MiB, so it is not a deploy file", s.File)
	}
	root, err := os.OpenRoot(filepath.Dir(s.File))
	if err != nil {
		return nil, nil, sluice.Errorf(sluice.Invalid, "the deploy file's directory cannot be read: %w", err)
	}
	defer root.Close()
	o := deployfile.Options{Application: s.Application, Strict: s.Strict, Files: root.FS()}
	spec, ds := deployfile.ParseWith(s.File, data, o)
	if spec != nil && len(s.Context) > 0 {
		merged := map[string]string{}
		maps.Copy(merged, spec.Context)
		maps.Copy(merged, s.Context)
		spec.Context = merged
	}
	return spec, ds, nil
}
