package rehearsal_test

import (
	"context"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/rehearsal"
	"github.com/sluice-cd/sluice/internal/manifest"
	"github.com/sluice-cd/sluice/internal/steptest"
)

func TestInertObjectsAreKeptAndCountAsReady(t *testing.T) {
	ctx := t.Context()
	a := rehearsal.NewAccount(steptest.NewAccount().Abilities(), nil)
	for name, text := range map[string]string{
		"custom": `{"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": {"name": "a", "namespace": "shop"},
			"spec": {"size": 3}, "status": {"conditions": [{"type": "Ready", "status": "False"}]}}`,
		"definition": `{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
			"metadata": {"name": "gadgets.example.com"}}`,
		"daemons": `{"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "a", "namespace": "shop"},
			"spec": {}}`,
		"bare pod": `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "shop"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			o := object(t, text)
			ref := o.Ref()
			if _, outcome, err := a.Apply(ctx, o, true); err != nil || outcome != sluice.Created {
				t.Fatalf("dry run: %s, %v", outcome, err)
			}
			if _, err := a.Get(ctx, ref); sluice.ErrorCode(err) != sluice.NotFound {
				t.Fatalf("the dry run left something: %v", err)
			}
			kept, outcome, err := a.Apply(ctx, o, false)
			if err != nil || outcome != sluice.Created {
				t.Fatalf("%s, %v", outcome, err)
			}
			if s := manifest.Status(kept); s.Phase != manifest.Ready {
				t.Errorf("it is %s: %s", s.Phase, s.Message)
			}
			got, err := a.Get(ctx, ref)
			if err != nil || got.Ref() != ref || got.Number(0, "spec", "size") != o.Number(0, "spec", "size") {
				t.Errorf("got %v, %v", got, err)
			}
			for watched, err := range a.Watch(ctx, ref.APIVersion, ref.Kind, ref.Namespace) {
				if err != nil || watched.Ref() != ref {
					t.Errorf("watched %v, %v", watched, err)
				}
				break
			}
			for followed, err := range a.Follow(ctx, ref) {
				if err != nil || followed.Ref() != ref {
					t.Errorf("followed %v, %v", followed, err)
				}
				break
			}
			// What was read is what undo restores.
			for verb, write := range map[string]func(context.Context, sluice.Object, bool) (sluice.Object, sluice.Outcome,
				error){
				"applied": a.Apply, "restored": a.Restore,
			} {
				if _, outcome, err := write(ctx, got, false); err != nil || outcome != sluice.Unchanged {
					t.Errorf("%s again: %s, %v", verb, outcome, err)
				}
			}
			if err := a.Delete(ctx, ref); err != nil {
				t.Error(err)
			}
			if _, err := a.Get(ctx, ref); sluice.ErrorCode(err) != sluice.NotFound {
				t.Errorf("after its deletion: %v", err)
			}
		})
	}
}

func TestClaimsThatNobodyBroughtAreMade(t *testing.T) {
	ctx := t.Context()
	a := rehearsal.NewAccount(steptest.NewAccount().Abilities(), nil)
	o := object(t, `{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db", "namespace": "shop"},
		"spec": {
		"selector": {"matchLabels": {"app": "db"}}, "template": {"metadata": {"labels": {"app": "db"}}, "spec": {
		"containers": [{"name": "db", "image": "db:1"}],
		"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]}}}}`)
	claim := sluice.Ref{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: "shop", Name: "data"}
	if _, _, err := a.Apply(ctx, o, true); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Get(ctx, claim); sluice.ErrorCode(err) != sluice.NotFound {
		t.Errorf("a dry run made the claim: %v", err)
	}
	if _, _, err := a.Apply(ctx, o, false); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Get(ctx, claim); err != nil {
		t.Error(err)
	}
}

// An adopter accepts every canary.
type adopter struct{ sluice.Adopter }

func (adopter) Beside(_ context.Context, canary sluice.Object, _ string) (sluice.Object, sluice.Outcome, error) {
	return canary, sluice.Created, nil
}

func TestClaimsOfACanaryAreMade(t *testing.T) {
	ctx := t.Context()
	on := steptest.NewAccount().Abilities()
	on.Adopter = adopter{}
	a := rehearsal.NewAccount(on, nil)
	o := object(t, `{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
		"spec": {"template": {"spec": {"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]}}}}`)
	if _, _, err := a.Beside(ctx, o, "web-5d8f"); err != nil {
		t.Fatal(err)
	}
	claim := sluice.Ref{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: "shop", Name: "data"}
	if _, err := a.Get(ctx, claim); err != nil {
		t.Error(err)
	}
}

func TestServicesOnTheCluster(t *testing.T) {
	ctx := t.Context()
	there := sluice.Ref{APIVersion: "v1", Kind: "Service", Namespace: "shop", Name: "web"}
	a := rehearsal.NewAccount(steptest.NewAccount().Abilities(), []sluice.Ref{there})
	if o, err := a.Get(ctx, there); err != nil || o.Ref() != there {
		t.Errorf("%v, %v", o, err)
	}
	if at, err := a.Address(ctx, "shop", "web", 80); err != nil || at != "web.shop:80" {
		t.Errorf("%s, %v", at, err)
	}
	there.Name = "other"
	if _, err := a.Get(ctx, there); sluice.ErrorCode(err) != sluice.NotFound {
		t.Errorf("a Service that nobody named: %v", err)
	}
}
