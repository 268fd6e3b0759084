package mongodb

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/fingerprint"
)

// Fingerprint reads every collection of the URI's database once. It skips views and system collections and lists their
// names. Ignored collections and fields are not counted, and invariants over them cannot be measured.
func (d *database) Fingerprint(ctx context.Context, invariants []sluice.Invariant,
	report func(sluice.Amount)) (sluice.Fingerprint, error) {
	begun := time.Now()
	collections, skipped, err := d.collections(ctx)
	if err != nil {
		return sluice.Fingerprint{}, err
	}
	collections = slices.DeleteFunc(collections,
		func(c collection) bool { return fingerprint.Ignored(d.ignored).Collection(c.name) })
	tallies, err := d.tally(ctx, collections, invariants, report)
	if err != nil {
		return sluice.Fingerprint{}, err
	}
	server, err := d.Describe(ctx)
	if err != nil {
		return sluice.Fingerprint{}, err
	}
	f := sluice.Fingerprint{Engine: "mongodb", Version: server.Version, Format: server.Format, Others: server.Others,
		TakenAt: begun.UTC(), Skipped: skipped}
	for i, c := range collections {
		printed := tallies[i].set.Fingerprint(c.name)
		printed.Schema = tallies[i].schema.types()
		if printed.Indexes, err = d.indexes(ctx, c.name); err != nil {
			return sluice.Fingerprint{}, err
		}
		f.Collections = append(f.Collections, printed)
	}
	if f.Invariants, err = figures(invariants, collections, tallies); err != nil {
		return sluice.Fingerprint{}, err
	}
	f.Took = time.Since(begun)
	return f, nil
}

// tally reads all collections. Each worker has its own tallies, which are merged at the end.
func (d *database) tally(ctx context.Context, collections []collection, invariants []sluice.Invariant,
	report func(sluice.Amount)) ([]*tally, error) {
	var parts []part
	progress := &progress{report: report}
	tallies := make([][]*tally, workers())
	for worker := range tallies {
		tallies[worker] = make([]*tally, len(collections))
	}
	for i, c := range collections {
		of, err := d.parts(ctx, i, c)
		if err != nil {
			return nil, err
		}
		parts = append(parts, of...)
		progress.total += c.expected
		tallies[0][i] = newTally(c, invariants, d.ignored)
	}
	err := d.scan(ctx, parts, func(worker int, c *chunk) error {
		t := &tallies[worker][c.collection]
		if *t == nil {
			*t = newTally(collections[c.collection], invariants, d.ignored)
		}
		if err := c.each((*t).add); err != nil {
			return d.wrap(ctx, "read "+collections[c.collection].name, err)
		}
		progress.add(len(c.ends))
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, of := range tallies[1:] {
		for i, t := range of {
			if t != nil {
				tallies[0][i].merge(t)
			}
		}
	}
	return tallies[0], nil
}

// progress reports one call at a time, and never less than before.
type progress struct {
	mu          sync.Mutex
	done, total int64
	report      func(sluice.Amount)
}

func (p *progress) add(documents int) {
	if p.report == nil || documents == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += int64(documents)
	p.report(sluice.Amount{Unit: "documents", Done: p.done, Total: max(p.total, p.done)})
}

// figures measures the invariants. A missing collection has no documents.
func figures(invariants []sluice.Invariant, of []collection, tallies []*tally) ([]sluice.InvariantValue, error) {
	byName := map[string]*tally{}
	for i, c := range of {
		byName[c.name] = tallies[i]
	}
	var values []sluice.InvariantValue
	for _, invariant := range invariants {
		value, err := figure(invariant, byName)
		if err != nil {
			return nil, err
		}
		values = append(values, sluice.InvariantValue{Name: invariant.Name, Value: value})
	}
	return values, nil
}

func figure(invariant sluice.Invariant, tallies map[string]*tally) (float64, error) {
	name := cmp.Or(invariant.Count, invariant.Sum)
	t, ok := tallies[name]
	if !ok {
		return 0, nil
	}
	if invariant.Count != "" {
		return float64(t.set.Fingerprint(name).Count), nil
	}
	return t.sums[invariant.Field].value64(invariant)
}
