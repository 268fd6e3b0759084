package remote

import (
	"context"
	"errors"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
)

// Jobs reads databases in Jobs of a bench. It implements dataset.Beside.
type Jobs struct {
	Bench   *beside.Bench
	Engines []string                  // what a Job can read
	CanRun  func(account string) bool // whether the account has Jobs of Sluice's image
}

// The names of a key's Jobs.
func reading(key string) string { return beside.Name("database", key) }
func holding(key string) string { return beside.Name("lock", key) }

// Open starts the Job of the key at the place, or finds it. It returns nil if the account has no Jobs. leave ends the
// Job in the background.
func (j Jobs) Open(ctx context.Context, at sluice.Place, key string) (
	by map[string]sluice.Databases, leave func(), err error) {
	s, by, err := j.open(ctx, beside.Work{Place: at, Name: reading(key)})
	if s == nil {
		return nil, nil, err
	}
	return by, func() { s.Close(); j.Bench.Leave(at, reading(key)) }, nil
}

// Hold is Open for a lock. It first ends the lock that a killed process left.
func (j Jobs) Hold(ctx context.Context, at sluice.Place, key string) (
	by map[string]sluice.Databases, leave func(), err error) {
	s, by, err := j.open(ctx, beside.Work{Place: at, Name: holding(key), Keeps: true})
	if s == nil {
		return nil, nil, err
	}
	return by, s.Close, nil
}

// open returns no session for a place without Jobs.
func (j Jobs) open(ctx context.Context, w beside.Work) (*beside.Session, map[string]sluice.Databases, error) {
	if !j.CanRun(w.Place.Name) {
		return nil, nil, nil
	}
	s, err := j.Bench.Open(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	by := map[string]sluice.Databases{}
	for _, engine := range j.Engines {
		by[engine] = New(s, engine, w.Place.Namespace)
	}
	return s, by, nil
}

// End ends the Jobs of the key, and with them a lock, and returns when they are gone.
func (j Jobs) End(ctx context.Context, at sluice.Place, key string) error {
	if !j.CanRun(at.Name) {
		return nil
	}
	return errors.Join(j.Bench.End(ctx, at, holding(key)), j.Bench.End(ctx, at, reading(key)))
}
