package service

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/deployfile"
	"github.com/sluice-cd/sluice/internal/history"
	"github.com/sluice-cd/sluice/internal/plan"
	"github.com/sluice-cd/sluice/internal/regular"
)

// Surroundings are what a plan depends on apart from its deploy file. The zero value knows nothing.
type Surroundings struct {
	Local   func(account string) bool // whether an account is this machine; nil: none is
	History *history.Index            // of earlier deployments; nil: there are none
	Sealer  sluice.Sealer             // nil: the plan MUST NOT be recorded
	Secret  func(value string)        // is told each value of a Secret before a finding can quote it; nil: nobody is
}

// Compiled is the plan of a deploy file.
type Compiled struct {
	Plan     *sluice.Plan
	Warnings sluice.Diagnostics
}

// Compile returns the plan of the deploy file. If a finding is an error, it returns all findings as the error. A plan
// that would change what another application runs on this machine is a Conflict.
func Compile(ctx context.Context, s Source, in Surroundings) (Compiled, error) {
	spec, ds, err := s.read()
	if err != nil {
		return Compiled{}, err
	}
	if err := s.checkRoot(); err != nil {
		return Compiled{}, err
	}
	root := s.root()
	o := plan.Options{
		Root: root, Base: root, Dir: below(root, filepath.Dir(s.File)), Fetch: s.Fetch, Targets: s.Targets, Images: s.Images,
		LocalAccounts: in.Local, Sealer: in.Sealer, Secret: in.Secret, TakeOver: s.TakeOver, Read: s.Read,
	}
	if s.As != "" {
		o.Base = ""
	}
	if ds.HasErrors() {
		return Compiled{}, s.join(ds, plan.CheckManifests(spec.Manifests, o))
	}
	if in.History != nil {
		if o.Applied, err = applied(ctx, spec, in.History); err != nil {
			return Compiled{}, err
		}
	}
	p, more := plan.Compile(spec, o)
	if ds = s.join(ds, more); ds.HasErrors() {
		return Compiled{}, ds
	}
	p.Replace = s.Replace
	if in.History != nil && in.Local != nil {
		err = checkForeign(ctx, in.History, p, in.Local)
	}
	return Compiled{Plan: p, Warnings: ds}, err
}

// join returns the findings in the deploy file and the later ones in order. A place whose text is wrong already gets
// no later one.
func (s Source) join(first, later sluice.Diagnostics) sluice.Diagnostics {
	all := slices.Clone(first)
	for _, d := range later {
		if s.Strict {
			d.Severity = sluice.SeverityError
		}
		same := func(f sluice.Diagnostic) bool { return f.Pos == d.Pos && f.Severity == sluice.SeverityError }
		if !slices.ContainsFunc(first, same) {
			all = append(all, d)
		}
	}
	return all.InOrder(s.shown())
}

// root is the directory that paths of manifests cannot leave.
func (s Source) root() string { return cmp.Or(s.Root, filepath.Dir(s.File)) }

func (s Source) checkRoot() error {
	if info, err := os.Stat(s.root()); err != nil || !info.IsDir() {
		return sluice.Errorf(sluice.NotFound, "there is no directory %s", s.root()).WithHint("correct --root")
	}
	return nil
}

// shown is how findings name the deploy file.
func (s Source) shown() string { return cmp.Or(s.As, s.File) }

// below returns the directory relative to root, "" if it is root or is not inside.
func below(root, dir string) string {
	whole, err := filepath.Abs(root)
	if err != nil {
		return ""
	}
	inner, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	rel, err := filepath.Rel(whole, inner)
	if err != nil || !filepath.IsLocal(rel) || rel == "." {
		return ""
	}
	return filepath.ToSlash(rel)
}

// applied returns what earlier deployments applied to the targets that prune, without what other applications run.
func applied(ctx context.Context, spec *sluice.Spec, log *history.Index) (func(string) []sluice.Ref, error) {
	all, of := map[string][]sluice.Ref{}, map[string][]sluice.Ref{}
	if !slices.ContainsFunc(spec.Targets, func(t sluice.Target) bool { return t.Prune }) {
		return func(string) []sluice.Ref { return nil }, nil
	}
	for _, t := range spec.Targets {
		if !t.Prune {
			continue
		}
		refs, err := history.Inventory(ctx, log, spec.Application, t.Name)
		if err != nil {
			return nil, err
		}
		all[t.Name], of[t.Account] = refs, append(of[t.Account], refs...)
	}
	others, err := foreign(ctx, log, spec.Application, of)
	if err != nil {
		return nil, err
	}
	for _, t := range spec.Targets {
		all[t.Name] = slices.DeleteFunc(all[t.Name], func(o sluice.Ref) bool {
			return slices.ContainsFunc(others, func(r sluice.Release) bool { return history.Has(r, t.Account, o) })
		})
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

// maxDeployFile limits the size of a deploy file.
const maxDeployFile = 4 << 20

// A Source is a deploy file and what the caller adds to it.
type Source struct {
	File        string
	As          string // how findings name File; manifests are then named relative to Root. "": as File
	Root        string // the directory that paths of manifests cannot leave; "": the deploy file's
	Targets     []string
	Context     map[string]string // wins over the file's own
	Application string            // replaces the file's
	Images      map[string]string // replaces images of the manifests: see [plan.Options]
	Strict      bool              // warnings are errors
	TakeOver    []string          // the field managers whose fields the plan may take
	// Replace is the deployment of another state directory whose place the new one takes.
	Replace sluice.DeploymentID
	// Fetch reads manifests from https addresses. Nil: such addresses are refused.
	Fetch func(address string) ([]byte, error)
	// Read is told each file that is read, by its path relative to Root. Nil: nobody is.
	Read func(name string, content []byte)
}

// TargetNames returns the names of the targets of the deploy file, in its order, none if the file has mistakes.
func (s Source) TargetNames() ([]string, error) {
	spec, _, err := s.read()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, t := range spec.Targets {
		names = append(names, t.Name)
	}
	return names, nil
}

// read returns the deploy file as declared, with all findings. If one is an error, the spec has only the manifests.
func (s Source) read() (*sluice.Spec, sluice.Diagnostics, error) {
	if s.File == "" {
		return nil, nil, sluice.Errorf(sluice.Invalid, "no deploy file is named").WithHint("add -f deploy.yaml")
	}
	data, err := regular.File(s.File, maxDeployFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, sluice.Errorf(sluice.NotFound, "there is no file %s", s.File).
			WithHint("name the deploy file with -f")
	case errors.Is(err, regular.ErrTooLarge):
		return nil, nil, sluice.Errorf(sluice.Invalid, "%s is larger than 4 MiB, so it is not a deploy file", s.File)
	case err != nil:
		return nil, nil, sluice.Errorf(sluice.Invalid, "the deploy file %s cannot be read: %w", s.File, err).
			WithHint("name a file with -f")
	}
	root, err := os.OpenRoot(filepath.Dir(s.File))
	if err != nil {
		return nil, nil, sluice.Errorf(sluice.Invalid, "the deploy file's directory cannot be read: %w", err)
	}
	defer root.Close()
	s.tell(filepath.Base(s.File), data)
	o := deployfile.Options{Application: s.Application, Strict: s.Strict, Files: root.FS(), Read: s.tell}
	spec, ds := deployfile.ParseWith(s.shown(), data, o)
	if spec == nil {
		return &sluice.Spec{Manifests: deployfile.Manifests(s.shown(), data, o)}, ds, nil
	}
	if len(s.Context) > 0 {
		merged := map[string]string{}
		maps.Copy(merged, spec.Context)
		maps.Copy(merged, s.Context)
		spec.Context = merged
	}
	return spec, ds, nil
}

// tell tells Read of a file below the directory of the deploy file.
func (s Source) tell(name string, content []byte) {
	if s.Read != nil {
		s.Read(path.Join(below(s.root(), filepath.Dir(s.File)), filepath.ToSlash(name)), content)
	}
}
