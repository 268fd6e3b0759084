package pages

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/service"
)

// hostile is a text that would run, reorder, hide or break something.
const hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202eback\u200b\x1b[31m\nnext"

// TestHostileTextIsOnlyShown puts hostile text wherever a page shows text from outside.
func TestHostileTextIsOnlyShown(t *testing.T) {
	w := newWorld(t)
	long := hostile + strings.Repeat("wörd", 10_000)
	w.steps.says = map[sluice.StepID]sluice.Progress{}
	p := planOf("shop", "2.3")
	p.Description = long
	for i := range p.Targets {
		p.Targets[i].Account, p.Targets[i].Irreversible = hostile, []string{long}
	}
	for i, s := range p.Steps {
		p.Steps[i].Name = long
		said := sluice.Progress{Message: long, Changes: []sluice.Change{{Object: hostile, Outcome: "created", Diff: long}}}
		said.Result = &sluice.Result{
			Judgment: &sluice.Judgment{Reason: long, Samples: []sluice.Sample{
				{Query: "errors", Start: time.Now(), End: time.Now(), Value: new(float64), Verdict: sluice.Bad, Reason: long},
			}},
			Verification: &sluice.Verification{Dataset: hostile, Reason: long, Comparison: sluice.Comparison{
				Collections: []sluice.CollectionComparison{{Name: hostile, Missing: 1, MissingKeys: []string{long}}},
			}, Invariants: []sluice.InvariantJudgment{{Name: long, Reason: long}}},
			Brought: []sluice.Brought{{Workload: sluice.Ref{Kind: hostile, Name: long}, Pods: 100_000}},
		}
		w.steps.says[s.ID] = said
	}
	id := w.start(p, hostile)
	w.untilWaits(id)
	sig := sluice.Signal{
		Kind: sluice.SignalApprove, Step: "production/canary/1", Reason: long,
		By: sluice.Actor{Name: hostile, Roles: []string{"owner"}},
	}
	if err := w.engine.Signal(t.Context(), id, sig); err != nil {
		t.Fatal(err)
	}
	w.until(id, hasEnded)
	w.checks = []service.Check{{Name: hostile, State: service.CheckWrong, Detail: long, Hint: long}}
	entry := sluice.AuditEntry{At: time.Now(), By: sluice.Actor{Name: hostile}, Verb: hostile, Application: hostile,
		Target: long, Reason: long, Step: hostile, Deployment: hostile}
	if err := w.store.Record(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
	c := sluice.Checkpoint{ID: hostile, Application: "shop", Dataset: long, Target: hostile, Owner: long, Account: long}
	if err := w.store.PutCheckpoint(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	paths := []string{"/", "/applications/shop", "/checkpoints", "/audit", "/accounts", "/" + "%3Cscript%3E"}
	for _, s := range p.Steps {
		paths = append(paths, pathOf(id)+"?step="+string(s.ID))
	}
	for _, path := range paths {
		r, body := w.get(path, "ana")
		for _, bad := range []string{"<script>", "<img", "\u202e", "\u200b", "\x1b"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s contains %q as it came (%s)", path, bad, r.Status)
			}
		}
		if !strings.Contains(body, "&lt;script&gt;") {
			t.Errorf("%s does not show the text, so this test proves nothing of it", path)
		}
		if len(body) > 400_000 {
			t.Errorf("%s has %d bytes: a long text is not cut", path, len(body))
		}
	}
}
