package step_test

import (
	stdcmp "cmp"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/step"
	"github.com/sluice-cd/sluice/internal/steptest"
)

// vet returns everything in the step that will certainly fail, before anything starts.
func (b *bench) vet(t *testing.T, id string) sluice.Diagnostics {
	t.Helper()
	refused, err := (&engine.Vetting{Steps: step.New(b.deps)}).Vet(t.Context(), b.context(id))
	if err != nil {
		t.Fatal(err)
	}
	return refused
}

// A picky account refuses objects in the words of a cluster.
type picky struct {
	*steptest.Account
	refused map[string]error     // by kind and name, or by kind
	writer  sluice.ClusterWriter // of an application
}

func (p picky) For(w sluice.Writing) (sluice.ClusterWriter, sluice.Adopter) {
	writer, adopter := p.Account.For(w)
	return picky{p.Account, p.refused, writer}, adopter
}

func (p picky) Apply(ctx context.Context, o sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	if err := stdcmp.Or(p.refused[o.Ref().String()], p.refused[o.Ref().Kind]); err != nil {
		return nil, "", err
	}
	return p.writer.Apply(ctx, o, dryRun)
}

func (b *bench) refuse(refused map[string]error) {
	account := b.account.Abilities()
	account.Writers = picky{Account: b.account, refused: refused}
	b.deps.Accounts["cluster"] = account
}

var (
	errFixed = &sluice.Error{Code: sluice.Invalid, Field: "type", Message: "type: Invalid value: field is immutable"}
	errAway  = sluice.Errorf(sluice.Unavailable, "the cluster does not answer")
	errGone  = sluice.Errorf(sluice.NotFound, `namespaces "prod" not found`)
)

// What the account refuses is found before anything starts: each object, at its place in the manifest.
func TestRefusalsAreFoundBeforehand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "all.yaml")
	const manifests = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n\ntype: example.com/x\n---\n" +
		"apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
	if err := os.WriteFile(file, []byte(manifests), 0o600); err != nil {
		t.Fatal(err)
	}
	secret, service := object("v1", "Secret", "s", nil), object("v1", "Service", "web", nil)
	b := newBench(secret)
	apply := applying(true, secret, service, object("v1", "ConfigMap", "c", nil))
	apply.Apply.Places = map[sluice.Ref]sluice.Position{
		secret.Ref(): {File: file, Line: 1, Column: 1}, service.Ref(): {File: file, Line: 7, Column: 1},
	}
	b.add("apply", apply)
	b.refuse(map[string]error{
		"Secret/s": errFixed, "Service/web": sluice.Errorf(sluice.Denied, "the admission webhook w refuses it: no"),
	})
	var got []string
	for _, d := range b.vet(t, "apply") {
		got = append(got, d.Pos.String()+" "+d.Code+" "+d.Message+" -> "+d.Hint)
	}
	want := []string{
		file + ":5:1 refused target production: apply Secret/s: type: Invalid value: field is immutable -> correct the " +
			"manifest; if the field of an object that exists cannot change, delete the object first: " +
			"kubectl delete Secret/s --namespace prod",
		file + ":7:1 refused target production: apply Service/web: the admission webhook w refuses it: no -> " +
			"correct the manifest",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// An account that is away refuses nothing, and neither does one to which an earlier step brings what is missing.
func TestWhatIsNotRefused(t *testing.T) {
	config := object("v1", "ConfigMap", "c", nil)
	space := sluice.Object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": namespace}}
	job := sluice.StepSpec{Kind: sluice.KindRunJob, RunJob: &sluice.RunJob{Job: workload("Job", "j", "job:1")}}
	other := func(b *bench, dependsOn []string, objects ...sluice.Object) {
		b.plan.Targets = []sluice.PlannedTarget{{Name: "staging", Account: "cluster"}}
		b.plan.Steps = append(b.plan.Steps, sluice.PlannedStep{ID: "staging/apply", Target: "staging",
			StepSpec: applying(false, objects...)})
		b.dependsOn = dependsOn
	}
	for name, tt := range map[string]struct {
		before  func(b *bench)
		err     error
		refused bool
		note    string
	}{
		"a missing namespace":     {func(*bench) {}, errGone, true, ""},
		"an account that is away": {func(*bench) {}, errAway, false, ""},
		"an earlier job may bring it": {func(b *bench) { b.add("before/0", job) }, errGone, false,
			"production/before/0 may bring"},
		"an earlier target brings it": {func(b *bench) { other(b, []string{"staging"}, space) }, errGone, false,
			"ConfigMap/c needs what staging/apply brings"},
		"another target brings it some time": {func(b *bench) { other(b, nil, space) }, errGone, true, ""},
		"an earlier target changes it": {func(b *bench) { other(b, []string{"staging"}, config) }, errFixed, false,
			"staging/apply changes ConfigMap/c first"},
		"an earlier job does not change a value": {func(b *bench) { b.add("before/0", job) }, errFixed, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			tt.before(b)
			b.add("apply", applying(false, config))
			b.refuse(map[string]error{"ConfigMap/c": tt.err})
			if got := b.vet(t, "apply"); (len(got) > 0) != tt.refused {
				t.Errorf("refused: %v", got)
			}
			preview, err := b.must(t, "apply").Check(t.Context())
			notes := strings.Join(preview.Notes, "\n")
			if tt.note != "" && (err != nil || !strings.Contains(notes, "not known yet: "+tt.note)) {
				t.Errorf("notes %v: %v", preview.Notes, err)
			}
		})
	}
}

// A Job that the account refuses is found beforehand too.
func TestRefusedJobIsFoundBeforehand(t *testing.T) {
	at := sluice.Position{File: "deploy.yaml", Line: 3, Column: 5}
	b := newBench().add("before/0", sluice.StepSpec{Kind: sluice.KindRunJob, Pos: at,
		RunJob: &sluice.RunJob{Job: workload("Job", "j", "job:1")}})
	b.refuse(map[string]error{"Job": errFixed})
	got := b.vet(t, "before/0")
	if len(got) != 1 || got[0].Pos != at || !strings.Contains(got[0].Message, "apply Job/") {
		t.Errorf("refused: %v", got)
	}
}

// The pods of a Deployment that somebody paused never change, unless a canary brings the new ones.
func TestPausedDeploymentIsFoundBeforehand(t *testing.T) {
	for name, tt := range map[string]struct {
		canary, declared bool
		image, want      string
	}{
		"straight to 100 %":     {false, false, "web:2", "somebody paused it, so its pods would never change"},
		"as declared":           {false, true, "web:2", "spec.paused keeps its pods from ever changing"},
		"beside a canary":       {true, false, "web:2", ""},
		"with the same version": {false, false, "web:1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			web := workload("Deployment", "web", "web:1")
			b := newBench()
			b.add("install", applying(false, web))
			b.mustRun(t, "install")
			b.account.Edit(web.Ref(), func(o sluice.Object) { o.Set(true, "spec", "paused") })
			next := workload("Deployment", "web", tt.image)
			next.Set(int64(7), "spec", "revisionHistoryLimit")
			if tt.declared {
				next.Set(true, "spec", "paused")
			}
			b.plan.Steps = nil
			b.add("apply", applying(tt.canary, next)).add("canary/0", weight(50)).add("promote", promoting())
			got := b.vet(t, "apply")
			if tt.want == "" && len(got) == 0 {
				return
			}
			if len(got) != 1 || tt.want == "" || !strings.Contains(got[0].Message, tt.want) {
				t.Errorf("refused: %v, want %q", got, tt.want)
			}
		})
	}
}
