package data_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
)

// A world is an account, a mover, a database server and a catalogue that share one memory. A process that uses it can
// be killed at its nth call, before the call takes effect or after: no later call of the process has an effect.
type world struct {
	server         sluice.Server // what databases say of theirs
	sluice.Account               // nil: what data steps do not call

	t  *testing.T
	mu sync.Mutex

	objects    map[sluice.Ref]sluice.Object
	volumes    map[string]*claim // namespace/claim
	copies     map[string][]documents
	work       map[string]fakeWork // of the mover
	outlives   bool                // the mover's work outlives the process that began it
	copied     int                 // how often volumes were copied
	catalogue  map[sluice.CheckpointID]sluice.Checkpoint
	execs      []string
	locked     bool // by the command lock, until the command unlock, or by a lock of the database
	listeners  map[string]net.Listener
	now        time.Time
	clinging   sluice.CheckpointID           // whose copy cannot be deleted
	damage     bool                          // masking loses a document
	cluster    bool                          // the account is unkind in the ways of a cluster
	ending     map[string]bool               // namespaces whose pod is still there although its workload is stopped
	created    map[sluice.Ref]int            // how often each object was created
	changes    map[sluice.Ref]int            // how often each object was changed
	order      []sluice.Ref                  // what was created, in that order
	scaled     []string                      // what was scaled, in that order
	operator   string                        // who starts whatever is stopped
	users      map[string][]string           // who else uses a claim, by namespace/claim
	busy       sluice.Ref                    // a CronJob whose Job runs until somebody waits for it
	idle       bool                          // no claim can be copied while a pod uses it
	snapshots  bool                          // claims are copied by snapshots
	keeps      bool                          // the storage keeps them
	kept       map[string][]string           // the claims of what it keeps
	drivers    map[string]string             // of the claims of a namespace, if they are not disks
	retained   map[string]bool               // cuts of which something outlives the namespace until they are discarded
	cuts       int                           // how often claims were cut
	unready    bool                          // a snapshot does not become ready
	copying    func()                        // what happens while volumes are copied
	plan       []sluice.PlannedStep          // what the deployments of steps do besides
	traffic    func(namespace, claim string) // what users do whenever the database becomes ready in a namespace
	grouped    bool                          // several claims are copied by one snapshot
	unlockable sluice.Code                   // why the database cannot be locked
	lost       error                         // what unlocking the database says
	cutting    func()                        // what happens while claims are cut

	calls  int
	dieAt  int // 0: never
	after  bool
	dead   bool
	cancel context.CancelFunc
}

// documents are what a volume holds: the orders of a shop, by key.
type documents map[string]string

type claim struct {
	current     string
	generations map[string]documents
	kept        bool // the current generation outlives the claim
}

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, objects: map[sluice.Ref]sluice.Object{}, volumes: map[string]*claim{}, copies: map[string][]documents{},
		work: map[string]fakeWork{}, catalogue: map[sluice.CheckpointID]sluice.Checkpoint{},
		listeners: map[string]net.Listener{}, ending: map[string]bool{}, created: map[sluice.Ref]int{},
		changes: map[sluice.Ref]int{}, users: map[string][]string{}, kept: map[string][]string{},
		retained: map[string]bool{},
		now:      time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	t.Cleanup(func() {
		for _, l := range w.listeners {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return w
}

// effect runs change unless the caller is dead. A dead one cannot save itself by a context of its own.
func (w *world) effect(ctx context.Context, change func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	dies := w.dieAt > 0 && w.calls == w.dieAt
	if dies && !w.after {
		w.die()
	}
	if w.dead {
		return context.Canceled
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err := change()
	if dies && w.after {
		w.die()
		return context.Canceled
	}
	return err
}

func (w *world) die() {
	w.dead = true
	w.cancel()
	if !w.outlives {
		clear(w.work)
	}
}

func missing(what any) error { return sluice.Errorf(sluice.NotFound, "there is no %v", what) }

// state describes the world without what may differ: what is recorded in the catalogue is listed by id alone.
func (w *world) state() map[string]string {
	s := map[string]string{}
	for ref, o := range w.objects {
		raw, err := json.Marshal(o)
		if err != nil {
			w.t.Fatal(err)
		}
		s["object "+ref.Namespace+" "+ref.String()] = string(raw)
	}
	for name, c := range w.volumes {
		s["claim "+name] = fmt.Sprintf("current %s of %v", c.current, c.generations)
	}
	if w.locked {
		s["database"] = "locked"
	}
	for namespace := range w.ending {
		s["pods of "+namespace] = "still ending"
	}
	return s
}

// records lists what the catalogue and the mover keep.
func (w *world) records() map[string]string {
	s := map[string]string{}
	for id, c := range w.catalogue {
		s["checkpoint "+string(id)] = fmt.Sprint(c.Image, " ", c.Copy.Snapshots, " ", documentsOf(c.Fingerprint))
	}
	for id, list := range w.copies {
		s["copy "+id] = fmt.Sprint(list)
	}
	return s
}

func documentsOf(f sluice.Fingerprint) (n int64) {
	for _, c := range f.Collections {
		n += c.Count
	}
	return n
}

// A fork is a world's content at one time.
type fork struct {
	objects   map[sluice.Ref]sluice.Object
	volumes   map[string]*claim
	copies    map[string][]documents
	kept      map[string][]string
	retained  map[string]bool
	work      map[string]fakeWork
	catalogue map[sluice.CheckpointID]sluice.Checkpoint
	locked    bool
	created   map[sluice.Ref]int
}

func (w *world) fork(t *testing.T) fork {
	t.Helper()
	f := fork{
		maps.Clone(w.objects), map[string]*claim{}, maps.Clone(w.copies), maps.Clone(w.kept), maps.Clone(w.retained),
		maps.Clone(w.work), maps.Clone(w.catalogue), w.locked, maps.Clone(w.created),
	}
	for k, c := range w.volumes {
		own := &claim{current: c.current, generations: map[string]documents{}, kept: c.kept}
		for g, d := range c.generations {
			own.generations[g] = maps.Clone(d)
		}
		f.volumes[k] = own
	}
	return f
}

func (w *world) restore(f fork) {
	w.objects, w.volumes, w.copies, w.work, w.catalogue = f.objects, f.volumes, f.copies, f.work, f.catalogue
	w.locked, w.created, w.kept, w.retained = f.locked, f.created, f.kept, f.retained
}

// flat writes an object for looking something up in it.
func (w *world) flat(o sluice.Object) string {
	raw, err := json.Marshal(o)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(raw)
}
