package step

import (
	"cmp"
	"context"
	"encoding/json"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/step/decision"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/ready"
	"github.com/sluice-cd/sluice/internal/step/record"
	"github.com/sluice-cd/sluice/internal/step/render"
	"github.com/sluice-cd/sluice/internal/step/sibling"
)

// The names by which the data steps know what all steps use. They go once the data steps are in a package of their own.
const defaultTimeout = ready.DefaultTimeout

func isReady(o sluice.Object) bool                 { return ready.Is(o) }
func recall(raw json.RawMessage, v any) error      { return record.Read(raw, v) }
func orDefault[T comparable](v, fallback T) T      { return cmp.Or(v, fallback) }
func names[K ~string, V any](m map[K]V) string     { return deps.Names(m) }
func writeRecord(v any) (json.RawMessage, error)   { return record.Write(v) }
func applySpec(sc sluice.StepContext) sluice.Apply { return sibling.Apply(sc) }

func decided(p sluice.Progress) (sluice.Progress, bool, error) { return decision.Of(p) }

func renderText(ctx context.Context, d Deps, sc sluice.StepContext, text string) (string, error) {
	return render.Text(ctx, d, sc, text, nil)
}
