package data

import (
	"context"
	"fmt"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/dataset"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/record"
)

// migrateVolumes moves the volumes of another target's dataset into this one by their storage. The version that wrote
// them opens them; the release changes it afterwards.
type migrateVolumes struct {
	dataset.Relocation
	spec *sluice.MigrateData
}

// newMigrateVolumes makes the step migrateData for a dataset with a migrator of its own.
func newMigrateVolumes(d deps.Deps, sc sluice.StepContext, from sluice.PlannedTarget) (sluice.Step, error) {
	m := sc.Step.MigrateData
	if err := checkMoved(d, m); err != nil {
		return nil, err.At(m.Spec.Pos)
	}
	source, err := placed(d, sc, m.Spec, from)
	if err != nil {
		return nil, err
	}
	to, err := placed(d, sc, m.Spec, sc.Target)
	if err != nil {
		return nil, err
	}
	return newCopying(sc, source, &migrateVolumes{dataset.Relocation{
		Dataset: to, From: source, Migrator: d.Migrators[m.Spec.Mover], Settings: *m.Spec.Portworx,
		Precautions: precautionsFor(d, sc, to),
	}, m}), to.CheckEngine()
}

func checkMoved(d deps.Deps, m *sluice.MigrateData) *sluice.Error {
	spec := m.Spec
	switch {
	case spec.Portworx == nil:
		return sluice.Errorf(sluice.Invalid, "the mover %s needs a clusterPair", spec.Mover)
	case len(m.Mask.Rewritten()) > 0:
		return sluice.Errorf(sluice.Unsupported, "the mover %s brings volumes as they are, so nothing can be masked",
			spec.Mover).WithHint("remove maskData, or mask the data in a runJob step before anybody can reach it")
	case len(spec.Quiesce.Before)+len(spec.Quiesce.After) > 0:
		return sluice.Errorf(sluice.Unsupported, "the mover %s runs no quiesce commands", spec.Mover).
			WithHint("remove quiesce: from the dataset %s", spec.Name)
	}
	return nil
}

// isMoved reports whether the storage itself moves the dataset.
func isMoved(d deps.Deps, spec sluice.Dataset) bool { return d.Migrators[spec.Mover] != nil }

// Check says what would be moved, and remembers what is in the target.
func (s *migrateVolumes) Check(ctx context.Context) (sluice.Preview, error) {
	was, err := s.Inspect(ctx)
	if err != nil {
		return sluice.Preview{}, err
	}
	p := sluice.Preview{Notes: s.notes(was), Changes: heldChanges(was.Held)}
	for _, claim := range s.Spec.Claims {
		outcome := sluice.Created
		for _, there := range was.Moving.Claims {
			if there.Ref().Name == claim {
				outcome = sluice.Configured
			}
		}
		p.Changes = append(p.Changes, sluice.Change{Object: "PersistentVolumeClaim/" + claim, Outcome: outcome})
	}
	p.Snapshot, err = record.Write(was)
	return p, err
}

func (s *migrateVolumes) notes(was dataset.Relocated) []string {
	notes := []string{fmt.Sprintf("moves the claims %s of %s by the ClusterPair %s, as they are while the database runs",
		strings.Join(s.Spec.Claims, ", "), s.From.Target, s.Settings.ClusterPair)}
	if was.Moving.Labelled {
		notes = append(notes, fmt.Sprintf("labels the claims of %s until they are moved", s.From.Target))
	}
	if names := was.Moving.Overwritten(); len(names) > 0 {
		notes = append(notes, fmt.Sprintf("overwrites the volumes of %s in %s, which came by an earlier migration: "+
			"their present content cannot be put back", strings.Join(names, ", "), s.Target))
	}
	return append(notes, precautionNotes(s.spec, s.Target)...)
}

// Start moves the volumes and reads what arrived, which is the baseline of later verifications.
func (s *migrateVolumes) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	var was dataset.Relocated
	if err := record.Read(p.Snapshot, &was); err != nil {
		return p, err
	}
	f, err := s.Run(ctx, was)
	if err != nil {
		return p, err
	}
	p.State, p.Result = sluice.Done, &sluice.Result{Baseline: dataset.Baseline(f)}
	p.Message = fmt.Sprintf("the volumes of %s are in %s", s.From.Target, s.Target)
	if s.Spec.Engine != dataset.EngineFiles {
		p.Message += fmt.Sprintf(", and their database opens: %d documents", dataset.Documents(f))
	}
	p.Message += "; they were not compared with the source, which may have changed meanwhile"
	return p, nil
}

// Observe is never needed.
func (s *migrateVolumes) Observe(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	return s.Start(ctx, p)
}

// Finish gives up what the target had.
func (s *migrateVolumes) Finish(ctx context.Context, p sluice.Progress) error {
	var was dataset.Relocated
	if err := record.Read(p.Snapshot, &was); err != nil {
		return err
	}
	return s.Settle(ctx, was)
}

// Undo puts back what the target had.
func (s *migrateVolumes) Undo(ctx context.Context, p sluice.Progress) error {
	if len(p.Snapshot) == 0 {
		return nil // nothing was started
	}
	var was dataset.Relocated
	if err := record.Read(p.Snapshot, &was); err != nil {
		return err
	}
	return s.Back(ctx, was)
}
