package plan_test

import (
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/plan"
)

type openly struct{}

func (openly) Seal(s string) (string, error) { return s, nil }
func (openly) Open(s string) (string, error) { return s, nil }

// A step whose data cannot be copied by its mover is refused before anything starts, unless the plan is only shown or
// rehearsed. On this machine kopia copies, whatever mover is named.
func TestMover(t *testing.T) {
	spec := func(mover string) *sluice.Spec {
		return &sluice.Spec{
			Datasets: map[string]sluice.Dataset{"orders": {Name: "orders", Mover: mover,
				Portworx: &sluice.Portworx{ClusterPair: "stage"}}},
			Targets: []sluice.Target{
				{Name: "production", Account: "here"},
				{Name: "staging", Account: "here", BeforeDeployment: []sluice.StepSpec{{
					Kind: sluice.KindMigrateData, Pos: sluice.Position{Line: 9}, MigrateData: &sluice.MigrateData{Dataset: "orders",
						From: "production"},
				}}},
			},
		}
	}
	only := func(name string) func(string) bool { return func(account string) bool { return account == name } }
	for name, test := range map[string]struct {
		mover  string
		local  func(string) bool
		sealer sluice.Sealer
		want   string // mover of the plan, "" if there is none
		found  int
	}{
		"elsewhere":       {"portworx", only("there"), openly{}, "", 1},
		"csi elsewhere":   {"csi", only("there"), openly{}, "", 1},
		"here":            {"portworx", only("here"), openly{}, "auto", 1},
		"only looked at":  {"portworx", only("there"), nil, "portworx", 0},
		"for a rehearsal": {"portworx", nil, openly{}, "portworx", 0},
		"by kopia":        {"kopia", only("here"), openly{}, "kopia", 0},
		"kopia elsewhere": {"kopia", only("there"), openly{}, "kopia", 0},
	} {
		t.Run(name, func(t *testing.T) {
			p, found := plan.Compile(spec(test.mover), plan.Options{Root: t.TempDir(), LocalAccounts: test.local,
				Sealer: test.sealer})
			if len(found) != test.found {
				t.Errorf("found %v", found)
			}
			if p == nil {
				if test.want != "" || found[0].Pos.Line != 9 {
					t.Fatalf("no plan: %v", found)
				}
				return
			}
			if got := p.Steps[0].MigrateData.Spec; got.Mover != test.want || (got.Portworx == nil) != (test.want == "auto") {
				t.Errorf("the plan has %+v", got)
			}
		})
	}
}
