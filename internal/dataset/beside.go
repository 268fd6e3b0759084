package dataset

import (
	"context"

	"github.com/sluice-cd/sluice"
)

// Beside reads and locks databases in Jobs beside them. A Job is known by its place and key, also after a crash.
type Beside interface {
	// Open starts the Job, or finds it, and returns the databases that it reads, by engine. It returns nil for a place
	// without Jobs. The caller calls leave, which ends the Job and does not wait until it is gone.
	Open(ctx context.Context, at sluice.Place, key string) (by map[string]sluice.Databases, leave func(), err error)
	// Hold is Open for a lock. It first ends the lock that a killed process left. If the Job is killed, the one that
	// replaces it ends the lock. The caller ends the Job with End.
	Hold(ctx context.Context, at sluice.Place, key string) (by map[string]sluice.Databases, leave func(), err error)
	// End ends the Jobs and their lock, and returns when they are gone. It succeeds if there are none.
	End(ctx context.Context, at sluice.Place, key string) error
}

// reader returns what opens the database: a Job beside it where there can be one, because a large database is read many
// times faster there than through the API server. The caller calls leave.
func (d Dataset) reader(ctx context.Context) (databases sluice.Databases, leave func() error, err error) {
	here := d.Databases[d.Spec.Engine]
	if d.Beside == nil {
		return here, func() error { return nil }, nil
	}
	by, closed, err := d.Beside.Open(ctx, d.Place, d.Key)
	if err != nil {
		_ = d.end(ctx) // err says more
		return nil, nil, err
	}
	if by == nil {
		return here, func() error { return nil }, nil
	}
	return by[d.Spec.Engine], func() error { closed(); return nil }, nil
}

// end ends the Job also if ctx has ended.
func (d Dataset) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
	defer cancel()
	return d.endBeside(ctx)
}

// endBeside ends the Job that reads the dataset, which a crash may have left.
func (d Dataset) endBeside(ctx context.Context) error {
	if d.Beside == nil {
		return nil
	}
	return d.Beside.End(ctx, d.Place, d.Key)
}
