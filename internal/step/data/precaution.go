package data

import (
	"context"
	"fmt"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/dataset"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/render"
	"github.com/sluice-cd/sluice/internal/step/sibling"
	"github.com/sluice-cd/sluice/internal/template"
)

// precautionsFor returns what keeps the step's target from acting on the data that it gets.
func precautionsFor(d deps.Deps, sc sluice.StepContext, to dataset.Dataset) dataset.Precautions {
	to.Spec.Pos = sc.Step.Pos
	return dataset.Precautions{
		Dataset: to, Suspend: sc.Step.MigrateData.Suspend, Secrets: sc.Step.MigrateData.Secrets,
		Released: sibling.Apply(sc).Objects,
		Fill: func(ctx context.Context, text string) (string, error) {
			return render.For(d, sc, nil).Text(ctx, template.Parse(text), template.Plain)
		},
	}
}

// precautionNotes say what is suspended and replaced as long as the target has the data.
func precautionNotes(m *sluice.MigrateData, target string) (notes []string) {
	if len(m.Suspend) > 0 {
		notes = append(notes, fmt.Sprintf("suspends %s of %s as long as it has the data", strings.Join(m.Suspend, ", "),
			target))
	}
	for _, v := range m.Secrets {
		notes = append(notes, fmt.Sprintf("replaces %s of Secret/%s of %s as long as it has the data; pods that run keep "+
			"the value that they started with", v.Key, v.Secret, target))
	}
	return notes
}

func heldChanges(held []sluice.Object) (changes []sluice.Change) {
	for _, o := range held {
		changes = append(changes, sluice.Change{Object: o.Ref().String(), Outcome: sluice.Configured})
	}
	return changes
}
