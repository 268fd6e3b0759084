package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/deployfile"
	"github.com/sluice-cd/sluice/internal/history"
	"github.com/sluice-cd/sluice/internal/plan"
)

// maxDeployFile bounds a deploy file.
const maxDeployFile = 4 << 20

// A source is a deploy file and what the command line adds to it.
type source struct {
	file        string
	manifests   string // the directory that paths of manifests are relative to; "" for the deploy file's
	targets     []string
	context     map[string]string
	application string
	strict      bool                      // warnings are errors
	fetch       bool                      // manifests may come from https addresses
	local       func(account string) bool // whether it is this machine; nil: nobody knows
	history     sluice.Log                // of earlier deployments; nil: there are none
}

func (s *source) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&s.file, "file", "f", "", "deploy file")
	cmd.Flags().StringVar(&s.manifests, "root", "", "directory that manifests' paths begin at and cannot leave (default: the deploy file's)")
	cmd.Flags().StringSliceVarP(&s.targets, "target", "t", nil, "only this target (may be repeated); dependencies on others do not hold")
	cmd.Flags().StringToStringVar(&s.context, "add-context", nil, "key=value for templates; wins over the file's own")
	cmd.Flags().BoolVar(&s.fetch, "fetch", false, "read manifests from https addresses too")
	cmd.Flags().StringVarP(&s.application, "application", "n", "", "another application name than the file's, which may then have none")
}

// read returns the deploy file as declared, with every finding in it.
func (s *source) read() (*sluice.Spec, sluice.Diagnostics, error) {
	if s.file == "" {
		return nil, nil, sluice.Errorf(sluice.Invalid, "no deploy file is named").WithHint("add -f deploy.yaml")
	}
	f, err := os.Open(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, sluice.Errorf(sluice.NotFound, "there is no file %s", s.file).WithHint("name the deploy file with -f")
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
		return nil, nil, sluice.Errorf(sluice.Invalid, "%s is larger than 4 MiB; this is no deploy file", s.file)
	}
	root, err := os.OpenRoot(filepath.Dir(s.file))
	if err != nil {
		return nil, nil, sluice.Errorf(sluice.Invalid, "the deploy file's directory cannot be read: %w", err)
	}
	defer root.Close()
	spec, ds := deployfile.ParseWith(s.file, data, deployfile.Options{Application: s.application, Strict: s.strict, Files: root.FS()})
	if spec != nil {
		s.amend(spec)
	}
	return spec, ds, nil
}

func (s *source) amend(spec *sluice.Spec) {
	if len(s.context) > 0 {
		merged := maps.Clone(spec.Context)
		if merged == nil {
			merged = map[string]string{}
		}
		maps.Copy(merged, s.context)
		spec.Context = merged
	}
}

// compile returns the plan of the deploy file. Without a sealer nothing is recorded, and nothing sealed. The
// findings hold warnings too; where there is a plan they hold nothing else.
func (s *source) compile(ctx context.Context, sealer sluice.Sealer) (*sluice.Plan, *sluice.Spec, sluice.Diagnostics, error) {
	spec, ds, err := s.read()
	if err != nil || ds.HasErrors() {
		return nil, nil, ds, err
	}
	o := plan.Options{Root: s.root(), Base: s.root(), Fetch: s.fetch, LocalAccounts: s.local, Sealer: sealer, Targets: s.targets}
	if o.Applied, err = s.applied(ctx, spec); err != nil {
		return nil, nil, ds, err
	}
	p, more := plan.Compile(spec, o)
	ds = append(ds, s.judged(more)...)
	if ds.HasErrors() {
		return nil, nil, ds, nil
	}
	return p, spec, ds, nil
}

// applied returns what earlier deployments applied to the targets that want to be rid of it.
func (s *source) applied(ctx context.Context, spec *sluice.Spec) (func(string) []sluice.Ref, error) {
	if s.history == nil {
		return nil, nil
	}
	all := map[string][]sluice.Ref{}
	for _, t := range spec.Targets {
		if !t.Prune {
			continue
		}
		refs, err := history.Inventory(ctx, s.history, spec.Application, t.Name)
		if err != nil {
			return nil, err
		}
		all[t.Name] = refs
	}
	return func(target string) []sluice.Ref { return all[target] }, nil
}

// judged makes the warnings errors where that was asked for.
func (s *source) judged(ds sluice.Diagnostics) sluice.Diagnostics {
	for i := range ds {
		if s.strict {
			ds[i].Severity = sluice.SeverityError
		}
	}
	return ds
}

// root is the directory that manifest paths are relative to and cannot leave.
func (s *source) root() string { return cmp.Or(s.manifests, filepath.Dir(s.file)) }

// stepFile is the name of a step's own file: the id without its slashes.
func stepFile(id sluice.StepID, ending string) string {
	return strings.ReplaceAll(string(id), "/", ".") + ending
}
