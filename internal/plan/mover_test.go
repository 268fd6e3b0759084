package plan_test

import (
	"strings"
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
	spec := func(mover, from string) *sluice.Spec {
		return &sluice.Spec{
			Datasets: map[string]sluice.Dataset{"orders": {Name: "orders", Mover: mover,
				Portworx: &sluice.Portworx{ClusterPair: "stage"}}},
			Targets: []sluice.Target{
				{Name: "production", Account: from},
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
		from   string // the account of the source
		local  func(string) bool
		sealer sluice.Sealer
		want   string // mover of the plan, "" if there is none
		found  int
	}{
		"elsewhere":         {"portworx", "far", only("there"), openly{}, "portworx", 0},
		"within a cluster":  {"portworx", "here", only("there"), openly{}, "", 1},
		"csi in a cluster":  {"csi", "here", only("there"), openly{}, "csi", 0},
		"csi between two":   {"csi", "far", only("there"), openly{}, "", 1},
		"csi from here":     {"csi", "far", only("here"), openly{}, "", 1},
		"csi here":          {"csi", "here", only("here"), openly{}, "auto", 1},
		"here":              {"portworx", "here", only("here"), openly{}, "auto", 1},
		"from here to away": {"portworx", "far", only("here"), openly{}, "", 1},
		"only looked at":    {"portworx", "far", only("there"), nil, "portworx", 0},
		"for a rehearsal":   {"portworx", "here", nil, openly{}, "portworx", 0},
		"by kopia":          {"kopia", "here", only("here"), openly{}, "kopia", 0},
		"kopia elsewhere":   {"kopia", "here", only("there"), openly{}, "kopia", 0},
	} {
		t.Run(name, func(t *testing.T) {
			p, found := plan.Compile(spec(test.mover, test.from), plan.Options{Root: t.TempDir(), LocalAccounts: test.local,
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

// Stork keeps the namespace, and Portworx makes no copy that anything else than a migration could use.
func TestPortworx(t *testing.T) {
	for name, test := range map[string]struct {
		namespace string
		step      sluice.StepSpec
		want      string // "": it is planned
	}{
		"verified": {"shop", sluice.StepSpec{Kind: sluice.KindVerifyData, VerifyData: &sluice.VerifyData{Dataset: "orders",
			Baseline: "migration"}}, ""},
		"other namespace": {"staging", sluice.StepSpec{Kind: sluice.KindPause, Pause: &sluice.Pause{}},
			`Portworx keeps the namespace of the dataset "orders", but "production" has the namespace "shop" and "staging" ` +
				`has "staging"`},
		"checkpoint": {"shop", sluice.StepSpec{Kind: sluice.KindCheckpointData, CheckpointData: &sluice.CheckpointData{
			Dataset: "orders"}}, `the dataset "orders" is in the account "two"`},
	} {
		t.Run(name, func(t *testing.T) {
			spec := &sluice.Spec{
				Datasets: map[string]sluice.Dataset{"orders": {Name: "orders", Mover: "portworx",
					Portworx: &sluice.Portworx{ClusterPair: "stage"}}},
				Targets: []sluice.Target{
					{Name: "production", Account: "one", Namespace: "shop"},
					{Name: "staging", Account: "two", Namespace: test.namespace, BeforeDeployment: []sluice.StepSpec{
						{Kind: sluice.KindSequence, Sequence: []sluice.StepSpec{{Kind: sluice.KindMigrateData,
							MigrateData: &sluice.MigrateData{Dataset: "orders", From: "production"}}, test.step}}}},
				},
			}
			_, found := plan.Compile(spec, plan.Options{Root: t.TempDir(), Sealer: openly{},
				LocalAccounts: func(string) bool { return false }})
			if test.want == "" && len(found) > 0 || test.want != "" && (len(found) != 1 ||
				!strings.Contains(found[0].Message, test.want)) {
				t.Errorf("found %v", found)
			}
		})
	}
}
