package data

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
)

// A fault is one row of the matrix.
type fault struct {
	name   string
	file   string
	stop   bool    // with storage that can only be copied while production is stopped
	at     *moment // nil: before the deployment starts
	before func(*run)
	happen func(*run)
	heal   func(*run) // when the deployment has ended
	after  func(*run) // when everything has been compared
	ends   sluice.Status
	says   []string
	short  bool // also without E2E_LONG
	strays bool // the fault itself changes production
}

func (f fault) title() string {
	if f.at == nil {
		return f.file + ", " + f.name
	}
	return f.file + ", " + f.name + " in " + f.at.name
}

// faults returns the matrix: what kills a process, in every phase, and then all other faults.
func faults() []fault {
	kills := []struct {
		name   string
		of     func(moment) bool
		happen func(*run)
	}{
		{"sluice is killed", func(moment) bool { return true }, (*run).killSluice},
		{"the mover is killed", func(m moment) bool { return m.work != "" }, (*run).killMover},
		{"the database is killed", func(m moment) bool { return m.database }, (*run).killDatabase},
	}
	var all []fault
	for _, c := range courses {
		for _, kill := range kills {
			for _, m := range c.moments {
				if kill.of(m) {
					all = append(all, fault{name: kill.name, file: c.file, stop: c.stopped, at: &m, happen: kill.happen,
						ends: sluice.StatusSucceeded})
				}
			}
		}
	}
	return append(all, others...)
}

// representatives are the kills that always run, the others only with E2E_LONG=1. Package job kills movers too.
var representatives = []string{
	"copy, sluice is killed in the reading of the copy", "copy, the mover is killed in the reading of the copy",
}

// TestFaults lets one fault happen in each deployment, with storage that takes snapshots.
func TestFaults(t *testing.T) {
	matrix(t, false, newLab(t, storage{class: "csi", mover: "kopia"}))
}

// TestFaultsWhileStopped is TestFaults with storage that takes none: production is stopped while it is copied.
func TestFaultsWhileStopped(t *testing.T) {
	if !long {
		t.Skip("E2E_LONG is not set; an act of the shop stops production too")
	}
	matrix(t, true, newLab(t, storage{class: "standard", quiesce: "    quiesce: stop\n"}))
}

func matrix(t *testing.T, stop bool, l *lab) {
	for _, f := range faults() {
		if f.stop != stop || !long && !f.short && !slices.Contains(representatives, f.title()) {
			continue
		}
		t.Run(f.title(), func(t *testing.T) {
			began := time.Now()
			(&run{lab: &lab{l.on(t), l.bucket}, fault: f}).play()
			t.Logf("took %s", time.Since(began).Round(time.Second))
		})
	}
}

// A run is one deployment with its fault.
type run struct {
	*lab
	fault   fault
	process *world.Process
	flip    func() // changes the bit back
}

// play deploys with the fault, and compares what is there before and after.
func (r *run) play() {
	f, target := r.fault, r.target(r.fault.file)
	if f.before != nil {
		f.before(r)
	}
	was := map[*world.World]scene{}
	for _, w := range r.worlds() {
		was[w] = r.look(w)
	}
	end := r.deploy()
	if f.heal != nil {
		f.heal(r)
	}
	r.judge(end)
	for _, w := range r.worlds() {
		switch {
		case f.strays && w == r.World:
			w.Ready("StatefulSet", "mongo")
		case w == target && end.Outcome == sluice.StatusSucceeded:
			r.unchanged(w, was[w], was[r.World].orders)
		default:
			r.unchanged(w, was[w], nil)
		}
	}
	if f.after != nil {
		f.after(r)
	}
}

func (r *run) deploy() world.Result {
	r.process = r.start(r.fault.file)
	if r.fault.at != nil {
		r.await(r.fault.at)
		r.fault.happen(r)
	}
	return r.process.Wait()
}

// judge compares the end of the deployment with the row.
func (r *run) judge(end world.Result) {
	r.Helper()
	story := end.Story()
	r.Log(story)
	if end.Outcome != r.fault.ends {
		r.Errorf("the deployment ended as %q, want %q", end.Outcome, r.fault.ends)
	}
	for _, text := range r.fault.says {
		if !strings.Contains(story, text) {
			r.Errorf("nobody says %q", text)
		}
	}
}

// await returns when the moment has come.
func (r *run) await(m *moment) {
	r.Helper()
	r.Await(m.name, func() bool {
		select {
		case <-r.process.Ended():
			r.Fatalf("the deployment ended before %s\n%s", m.name, r.process.Wait().Story())
		default:
		}
		return m.began(m.place(r.lab))
	})
}

func (r *run) killSluice() {
	r.process.Kill()
	r.process = r.Start("run", "--resume")
}

func (r *run) killMover() {
	w := r.fault.at.place(r.lab)
	for _, pod := range pods(w, r.fault.at.work) {
		w.Kill(pod)
	}
}

func (r *run) killDatabase() { r.fault.at.place(r.lab).Kill("mongo-0") }
