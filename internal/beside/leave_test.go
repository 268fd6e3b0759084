package beside_test

import (
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/besidetest"
)

// A Job that is left goes in the background. The next one in its namespace, or of its name, comes when it is gone.
func TestLeave(t *testing.T) {
	each(t, func(t *testing.T, o beside.Options) {
		c := besidetest.New(t, answering(nil))
		b := c.Bench(o)
		for i, name := range []string{"sluice-one", "sluice-two", "sluice-two"} {
			w := beside.Work{Place: c.Place("shop"), Name: name}
			s := open(t, b, w)
			double(t, s, 2)
			if jobs, err := c.List(t.Context(), "batch/v1", "Job", "shop"); err != nil || len(jobs) != 1 || c.Made() != i+1 {
				t.Errorf("%d Jobs were made, %d are there, %v", c.Made(), len(jobs), err)
			}
			s.Close()
			b.Leave(w.Place, w.Name)
		}
		b.Close()
		for _, kind := range []string{"Secret", "Service"} {
			if left, err := c.List(t.Context(), "v1", kind, "shop"); err != nil || len(left) > 0 {
				t.Errorf("left over: %v, %v", left, err)
			}
		}
	})
}

// Work that needed no Job, as that of a command that reads the repository, has no account to look for one.
func TestNothingIsLeftWhereNoAccountIsOpen(t *testing.T) {
	b := beside.New(beside.Options{Settings: func(string) beside.Settings { return beside.Settings{Image: "sluice:1"} }})
	closed := sluice.Place{Name: "cluster", Namespace: "shop"}
	b.Leave(closed, "copy")
	b.Close()
	if err := b.End(t.Context(), closed, "copy"); err != nil {
		t.Error(err)
	}
}
