package remote

import (
	"context"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
)

// Jobs reads databases in Jobs of a bench. It implements dataset.Beside.
type Jobs struct {
	Bench   *beside.Bench
	Engines []string                  // what a Job can read
	CanRun  func(account string) bool // whether the account has Jobs of Sluice's image
}

func (Jobs) name(key string) string { return beside.Name("database", key) }

// Open starts the Job of the key at the place, or finds it. It returns nil if the account has no Jobs. leave ends the
// Job in the background.
func (j Jobs) Open(ctx context.Context, at sluice.Place, key string) (
	by map[string]sluice.Databases, leave func(), err error) {
	if !j.CanRun(at.Name) {
		return nil, nil, nil
	}
	s, err := j.Bench.Open(ctx, beside.Work{Place: at, Name: j.name(key)})
	if err != nil {
		return nil, nil, err
	}
	by = map[string]sluice.Databases{}
	for _, engine := range j.Engines {
		by[engine] = New(s, engine, at.Namespace)
	}
	return by, func() { s.Close(); j.Bench.Leave(at, j.name(key)) }, nil
}

// End ends the Job and returns when it is gone.
func (j Jobs) End(ctx context.Context, at sluice.Place, key string) error {
	if !j.CanRun(at.Name) {
		return nil
	}
	return j.Bench.End(ctx, at, j.name(key))
}
