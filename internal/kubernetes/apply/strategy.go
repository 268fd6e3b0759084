package apply

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
)

// strategies names, for each kind, the field of its strategy and the type that allows no parameters of a rolling
// update. A cluster fills these in where a manifest names no strategy. Nobody owns them then, so no apply removes them,
// and the cluster refuses the type as long as they are there.
var strategies = map[string]struct{ field, alone string }{
	"Deployment":  {"strategy", "Recreate"},
	"StatefulSet": {"updateStrategy", "OnDelete"},
}

// excluded returns the field of the strategy if what is wanted excludes what the live object has there, "" otherwise.
func excluded(want, live sluice.Object) string {
	s, ok := strategies[want.Text("kind")]
	if !ok || want.Text("spec", s.field, "type") != s.alone || want.Field("spec", s.field, "rollingUpdate") != nil ||
		live.Field("spec", s.field, "rollingUpdate") == nil {
		return ""
	}
	return s.field
}

// patchStrategy is patch, also where the cluster refuses the strategy beside what it has filled in. In a dry run, in
// which nothing can be claimed, the cluster judges everything but such a strategy.
func (w *Writer) patchStrategy(ctx context.Context, r applyRequest, want, live sluice.Object) (sluice.Object, error) {
	field := excluded(want, live)
	if field == "" {
		return w.patch(ctx, r, want, live)
	}
	if !r.dryRun {
		if err := w.claim(ctx, r, field); err != nil {
			return nil, err
		}
		return w.patch(ctx, r, want, live)
	}
	rest := want.Clone()
	delete(rest["spec"].(map[string]any), field)
	now, err := w.patch(ctx, r, rest, live)
	if err != nil {
		return nil, err
	}
	now = now.Clone()
	now.Set(want.Clone().Field("spec", field), "spec", field)
	return now, nil
}

// claim makes Sluice the owner of the live object's strategy, so that the next apply can remove parts of it. No value
// changes by that.
func (w *Writer) claim(ctx context.Context, r applyRequest, field string) error {
	u, err := w.client.Objects(r.ObjectRef).Get(ctx, r.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	live := sluice.Object(u.Object)
	own := onlyFields(live, appliedSetOf(live, w.manager(), r.declared.Text("apiVersion")))
	own.Set(live.Clone().Field("spec", field), "spec", field)
	_, err = w.patch(ctx, r, own, live)
	return err
}
