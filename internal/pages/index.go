package pages

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// remembered is how many ended deployments of an application are searched for what its targets run.
const remembered = 20

// An Index knows how every application stands. It folds each deployment that has not ended, and of the ended ones those
// that its answer needs: for each target the latest deployment that reached it, and the latest that left a release
// there. It reads them once, then follows the tail of the store, so an answer reads nothing. All viewers share it.
type Index struct {
	store sluice.Store
	ready chan struct{} // closed once the store was read
	open  sync.Once     // closes ready

	mu           sync.RWMutex
	applications map[string]*application
	owners       map[sluice.DeploymentID]*application // of the deployments that are kept
	version      int64
	changed      chan struct{} // closed at the next change
}

// An application is its part of the index.
type application struct {
	name    string
	version int64      // of the index, when it changed last
	runs    []*indexed // newest first
}

// An indexed deployment is what the index keeps of it.
type indexed struct {
	id      sluice.DeploymentID
	of      string // the application
	seq     sluice.Seq
	status  sluice.Status
	started time.Time
	ended   time.Time
	by      string
	parts   []part
	state   *engine.State // nil once it has ended
}

// A part is how a deployment stands in one target.
type part struct {
	target  string
	status  sluice.Status
	release string
	since   time.Time // of the latest change
	weight  int       // of the new version, -1 without one
	brought bool      // it left a release in the target
	waits   []waiting
}

// A waiting is a step that waits.
type waiting struct {
	step  sluice.StepID
	what  string
	kind  string   // of the signal by which a person ends the wait; "": a person cannot
	roles []string // any of which a person needs for that; empty: none
}

// NewIndex returns an index of the store that knows nothing before Follow.
func NewIndex(store sluice.Store) *Index {
	return &Index{
		store: store, ready: make(chan struct{}), changed: make(chan struct{}),
		applications: map[string]*application{}, owners: map[sluice.DeploymentID]*application{},
	}
}

// Follow reads what the index needs, then follows the store until ctx ends, which is no error. After an error it can be
// called again; it reads everything anew.
func (x *Index) Follow(ctx context.Context) error {
	newest, err := x.store.Newest(ctx)
	if err != nil {
		return err
	}
	if err := x.read(ctx); err != nil {
		return err
	}
	x.open.Do(func() { close(x.ready) })
	for entry, err := range x.store.Tail(ctx, newest) {
		if err == nil {
			err = x.add(ctx, entry)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// read folds the deployments that the answer needs, from the newest to the oldest.
func (x *Index) read(ctx context.Context) error {
	list, err := x.store.Deployments(ctx, "")
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	clear(x.applications)
	clear(x.owners)
	for _, d := range list {
		a := x.application(d.Application)
		if d.EndedAt.IsZero() || !a.isComplete() {
			r, err := x.fold(ctx, d.ID)
			if err != nil {
				return err
			}
			if r != nil {
				a.runs = append(a.runs, r)
			}
		}
	}
	for _, a := range x.applications {
		a.prune()
		x.own(a)
	}
	return nil
}

// fold reads one deployment, nil if it is a rehearsal.
func (x *Index) fold(ctx context.Context, id sluice.DeploymentID) (*indexed, error) {
	state, err := engine.Fold(id, x.store.Read(ctx, id, 0))
	if err != nil || state.Plan == nil || state.Plan.Rehearsal != nil {
		return nil, err
	}
	r := &indexed{id: id, state: state}
	r.update()
	return r, nil
}

// application returns the named one; x.mu is held.
func (x *Index) application(name string) *application {
	a := x.applications[name]
	if a == nil {
		a = &application{name: name}
		x.applications[name] = a
	}
	return a
}

// add takes the next event of the tail. Events that a fold has seen already change nothing.
func (x *Index) add(ctx context.Context, entry sluice.Entry) error {
	e := entry.Event
	a, r := x.find(entry.Deployment)
	switch {
	case r == nil && e.Plan == nil && e.Kind != sluice.DeploymentReopened:
		return nil // of a deployment that newer ones have replaced
	case r == nil || r.state == nil && e.Seq > r.seq:
		folded, err := x.fold(ctx, entry.Deployment)
		if err != nil || folded == nil {
			return err
		}
		x.change(folded.of, func(a *application) { a.put(folded) })
	case e.Seq > r.seq:
		x.change(a.name, func(a *application) {
			r.state.Apply(e)
			r.update()
			a.prune()
		})
	}
	return nil
}

// find returns the deployment and its application, if the index keeps it.
func (x *Index) find(id sluice.DeploymentID) (*application, *indexed) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	a := x.owners[id]
	if a == nil {
		return nil, nil
	}
	return a, a.runs[slices.IndexFunc(a.runs, func(r *indexed) bool { return r.id == id })]
}

// own notes whose the deployments are that the application keeps; x.mu is held.
func (x *Index) own(a *application) {
	for _, r := range a.runs {
		x.owners[r.id] = a
	}
}

// change changes an application and wakes those who wait.
func (x *Index) change(name string, how func(*application)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	a := x.application(name)
	for _, r := range a.runs {
		delete(x.owners, r.id)
	}
	how(a)
	x.own(a)
	x.version++
	a.version = x.version
	close(x.changed)
	x.changed = make(chan struct{})
}

// put adds or replaces a deployment.
func (a *application) put(r *indexed) {
	a.runs = slices.DeleteFunc(a.runs, func(old *indexed) bool { return old.id == r.id })
	a.runs = append(a.runs, r)
	slices.SortFunc(a.runs, func(one, two *indexed) int { return cmp.Compare(two.id, one.id) }) // ids sort by time
	a.prune()
}

// prune forgets the deployments that the answer does not need.
func (a *application) prune() {
	seen, brought := map[string]bool{}, map[string]bool{}
	kept := a.runs[:0:0]
	for i, r := range a.runs {
		needed := i == 0 || r.ended.IsZero()
		for _, p := range r.parts {
			needed = needed || p.isReached() && !seen[p.target] || p.brought && !brought[p.target]
			seen[p.target] = seen[p.target] || p.isReached()
			brought[p.target] = brought[p.target] || p.brought
		}
		if needed {
			kept = append(kept, r)
		}
	}
	a.runs = kept
}

// isComplete reports whether older deployments change nothing in the answer, or would be searched in vain.
func (a *application) isComplete() bool {
	if len(a.runs) == 0 || len(a.runs) >= remembered {
		return len(a.runs) > 0
	}
	brought := map[string]bool{}
	for _, r := range a.runs {
		for _, p := range r.parts {
			brought[p.target] = brought[p.target] || p.brought
		}
	}
	for _, found := range brought {
		if !found {
			return false
		}
	}
	return true
}

// update takes over what the state says. Once the deployment has ended, its state is not needed any more.
func (r *indexed) update() {
	s := r.state
	r.seq, r.status, r.started, r.ended, r.by = s.Seq, s.Status(), s.StartedAt, s.EndedAt, s.StartedBy.Name
	r.of, r.parts = s.Plan.Application, nil
	for _, t := range ordered(s.Plan) {
		r.parts = append(r.parts, partOf(s, t.Name))
	}
	if s.Outcome != "" {
		r.state = nil
	}
}

func partOf(s *engine.State, target string) part {
	p := part{
		target: target, status: s.Target(target), release: release(s.ID, s.Plan, target), since: s.StartedAt, weight: -1,
	}
	if weight, ok := weightOf(s, target); ok {
		p.weight = weight
	}
	ends := p.status == sluice.StatusSucceeded || p.status == sluice.StatusFailed
	for _, id := range s.Started {
		run := s.Steps[id]
		if run.Plan.Target != target {
			continue
		}
		p.since = latest(p.since, run.StartedAt, run.EndedAt)
		p.brought = p.brought || ends && run.Plan.Apply != nil && run.Phase != engine.PhaseUndone
		if what := waitsFor(run); what != "" && s.Outcome == "" {
			w := waiting{step: id, what: short(what), kind: decidable(run)}
			if run.Progress.Wait != nil {
				w.roles = run.Progress.Wait.Roles
			}
			p.waits = append(p.waits, w)
		}
	}
	return p
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

// isReached reports whether the deployment has begun in the target.
func (p part) isReached() bool {
	switch p.status {
	case sluice.StatusPending, sluice.StatusQueued, sluice.StatusSkipped, sluice.StatusOvertaken:
		return false
	}
	return true
}

// ordered returns the targets of a plan after those that they depend on, otherwise in the order of the file.
func ordered(p *sluice.Plan) []sluice.PlannedTarget {
	var list []sluice.PlannedTarget
	placed := map[string]bool{}
	var place func(t sluice.PlannedTarget)
	place = func(t sluice.PlannedTarget) {
		if placed[t.Name] {
			return
		}
		placed[t.Name] = true
		for _, name := range t.DependsOn {
			if on, ok := p.Target(name); ok {
				place(on)
			}
		}
		list = append(list, t)
	}
	for _, t := range p.Targets {
		place(t)
	}
	return list
}

// errNotRead is the answer while the index still reads the log.
var errNotRead = sluice.Errorf(sluice.Unavailable, "the server has just started and still reads the log").
	WithHint("try again in a few seconds")

// each yields the applications that have deployments, and the version that they have together.
func (x *Index) each(version *int64) iter.Seq[*application] {
	return func(yield func(*application) bool) {
		x.mu.RLock()
		defer x.mu.RUnlock()
		*version = x.version
		for _, a := range x.applications {
			if len(a.runs) > 0 && !yield(a) {
				return
			}
		}
	}
}

// wait returns nil once the application, or any if it is "", has changed after the version.
func (x *Index) wait(ctx context.Context, name string, after int64) error {
	for {
		x.mu.RLock()
		version, changed := x.version, x.changed
		if name != "" {
			version = 0
			if a := x.applications[name]; a != nil {
				version = a.version
			}
		}
		x.mu.RUnlock()
		if version > after {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// readyBy waits until the index has read the log.
func (x *Index) readyBy(ctx context.Context) error {
	select {
	case <-x.ready:
		return nil
	case <-ctx.Done():
		return errors.Join(errNotRead, ctx.Err())
	}
}
