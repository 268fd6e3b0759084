package service

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/history"
	"github.com/sluice-cd/sluice/internal/plan"
)

// Surroundings are what a plan depends on apart from its deploy file. The zero value knows nothing.
type Surroundings struct {
	Local   func(account string) bool // whether an account is this machine; nil: none is
	History sluice.Log                // of earlier deployments; nil: there are none
	Sealer  sluice.Sealer             // nil: the plan MUST NOT be recorded
}

// Compiled is the plan of a deploy file.
type Compiled struct {
	Plan     *sluice.Plan
	Enqueue  bool // it waits for the application's running deployment
	Warnings sluice.Diagnostics
}

// Compile returns the plan of the deploy file. If a finding is an error, it returns all findings as the error.
func Compile(ctx context.Context, s Source, in Surroundings) (Compiled, error) {
	spec, ds, err := s.read()
	if err != nil {
		return Compiled{}, err
	}
	if ds.HasErrors() {
		return Compiled{}, ds
	}
	root := cmp.Or(s.Root, filepath.Dir(s.File))
	o := plan.Options{
		Root: root, Base: root, Fetch: s.Fetch, Targets: s.Targets, LocalAccounts: in.Local, Sealer: in.Sealer,
	}
	if in.History != nil {
		if o.Applied, err = applied(ctx, spec, in.History); err != nil {
			return Compiled{}, err
		}
	}
	p, more := plan.Compile(spec, o)
	for i := range more {
		if s.Strict {
			more[i].Severity = sluice.SeverityError
		}
	}
	if ds = append(ds, more...); ds.HasErrors() {
		return Compiled{}, ds
	}
	return Compiled{Plan: p, Enqueue: spec.Config.InProgress == "enqueueOne", Warnings: ds}, nil
}

// applied returns what earlier deployments applied to the targets that prune.
func applied(ctx context.Context, spec *sluice.Spec, log sluice.Log) (func(string) []sluice.Ref, error) {
	all := map[string][]sluice.Ref{}
	for _, t := range spec.Targets {
		if !t.Prune {
			continue
		}
		refs, err := history.Inventory(ctx, log, spec.Application, t.Name)
		if err != nil {
			return nil, err
		}
		all[t.Name] = refs
	}
	return func(target string) []sluice.Ref { return all[target] }, nil
}

// Validate returns all findings in the deploy file, and in its manifests if manifests is true.
func Validate(ctx context.Context, s Source, in Surroundings, manifests bool) (sluice.Diagnostics, error) {
	if !manifests {
		_, ds, err := s.read()
		return ds, err
	}
	c, err := Compile(ctx, s, in)
	if ds, ok := errors.AsType[sluice.Diagnostics](err); ok {
		return ds, nil
	}
	return c.Warnings, err
}
