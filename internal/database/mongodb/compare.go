package mongodb

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/fingerprint"
)

// joined bounds how many documents of both sides a comparison keeps the key and the hash of.
const joined = 500_000

// Compare reads both databases again, side by side, once for every half a million documents in segments that differ. It
// reads the listed documents that changed once more, to say which fields differ. Ignored fields are not hashed, so
// documents that differ only in them count as equal.
func (d *database) Compare(ctx context.Context, now sluice.Fingerprint, baseline sluice.Database,
	was sluice.Fingerprint, limit int) (sluice.Comparison, error) {
	base, ok := baseline.(*database)
	if !ok {
		return sluice.Comparison{}, sluice.Errorf(sluice.Invalid, "the baseline is not a MongoDB database")
	}
	nowAt, err := d.byName(ctx)
	if err != nil {
		return sluice.Comparison{}, err
	}
	wasAt, err := base.byName(ctx)
	if err != nil {
		return sluice.Comparison{}, err
	}
	var comparison sluice.Comparison
	for _, pair := range fingerprint.Pairs(was, now, d.ignored) {
		c := comparer{
			pair: pair, fields: fingerprint.Ignored(d.ignored).Fields(pair.Name), limit: limit,
			was: side{base, wasAt[pair.Name]}, now: side{d, nowAt[pair.Name]},
		}
		result, err := c.compare(ctx, d.ignored)
		if err != nil {
			return sluice.Comparison{}, err
		}
		if differs(result) {
			comparison.Collections = append(comparison.Collections, result)
		}
	}
	return comparison, nil
}

func (d *database) byName(ctx context.Context) (map[string]*collection, error) {
	list, _, err := d.collections(ctx)
	if err != nil {
		return nil, err
	}
	named := map[string]*collection{}
	for _, c := range list {
		named[c.name] = &c
	}
	return named, nil
}

func differs(c sluice.CollectionComparison) bool {
	return c.Missing+c.Added+c.Changed > 0 || len(c.MissingIndexes)+len(c.AddedIndexes)+len(c.ChangedIndexes) > 0
}

// A comparer finds the differences in one collection.
type comparer struct {
	pair     fingerprint.Pair
	was, now side
	fields   []string // ignored
	limit    int
}

// A side is one of the two databases; collection is nil if it does not have the collection.
type side struct {
	db         *database
	collection *collection
}

func (c comparer) compare(ctx context.Context, ignored fingerprint.Ignored) (sluice.CollectionComparison, error) {
	result := sluice.CollectionComparison{Name: c.pair.Name}
	result.MissingIndexes, result.AddedIndexes, result.ChangedIndexes = c.pair.Indexes(ignored)
	missing := fingerprint.NewList(c.limit, compareKeys)
	added := fingerprint.NewList(c.limit, compareKeys)
	changed := fingerprint.NewList(c.limit, compareKeys)
	for _, batch := range fingerprint.Narrow(c.pair, joined) {
		join := fingerprint.NewJoin(func(key []byte) { changed.Add(string(key)) })
		if err := c.join(ctx, batch, join); err != nil {
			return result, err
		}
		join.Rest(missing.Add, added.Add)
	}
	result.Missing, result.MissingKeys = missing.Count, render(missing.First())
	result.Added, result.AddedKeys = added.Count, render(added.First())
	var err error
	result.Changed = changed.Count
	result.ChangedKeys, err = c.explain(ctx, changed.First())
	return result, err
}

func render(keys []string) []string {
	var rendered []string
	for _, key := range keys {
		rendered = append(rendered, renderKey(key))
	}
	return rendered
}

// join reads both sides at the same time.
func (c comparer) join(ctx context.Context, batch fingerprint.Batch, join *fingerprint.Join) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.feed(ctx, c.was, fingerprint.Was, batch, join) })
	group.Go(func() error { return c.feed(ctx, c.now, fingerprint.Now, batch, join) })
	return group.Wait()
}

func (c comparer) feed(ctx context.Context, from side, as fingerprint.Side, batch fingerprint.Batch,
	join *fingerprint.Join) error {
	type scratch struct{ key, document []byte }
	scratches := make([]scratch, workers())
	return from.scan(ctx, func(worker int, document []byte) error {
		s := &scratches[worker]
		var err error
		if s.key, err = appendKey(s.key[:0], document); err != nil || !batch.Has(s.key) {
			return err
		}
		if len(c.fields) > 0 {
			if s.document, err = without(s.document[:0], document, c.fields); err != nil {
				return err
			}
			document = s.document
		}
		join.Add(as, s.key, fingerprint.HashOf(document))
		return nil
	})
}

// scan visits every document of the side.
func (s side) scan(ctx context.Context, visit func(worker int, document []byte) error) error {
	if s.collection == nil {
		return nil
	}
	parts, err := s.db.parts(ctx, 0, *s.collection)
	if err != nil {
		return err
	}
	return s.db.scan(ctx, parts, func(worker int, c *chunk) error {
		err := c.each(func(document []byte) error { return visit(worker, document) })
		return s.db.wrap(ctx, "read "+s.collection.name, err)
	})
}

// explain says for each key which fields of its document differ. Fields is empty for a document that is gone meanwhile.
func (c comparer) explain(ctx context.Context, keys []string) ([]sluice.ChangedKey, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	var was, now map[string][]byte
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() (err error) { was, err = c.was.fetch(inner, keys); return err })
	group.Go(func() (err error) { now, err = c.now.fetch(inner, keys); return err })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	changed := make([]sluice.ChangedKey, 0, len(keys))
	for _, key := range keys {
		fields, err := c.fieldsOf(was[key], now[key])
		if err != nil {
			return nil, c.now.db.wrap(ctx, "compare "+c.pair.Name, err)
		}
		changed = append(changed, sluice.ChangedKey{Key: renderKey(key), Fields: fields})
	}
	return changed, nil
}

func (c comparer) fieldsOf(was, now []byte) ([]string, error) {
	if was == nil || now == nil {
		return nil, nil
	}
	before, err := without(nil, was, c.fields)
	if err != nil {
		return nil, err
	}
	after, err := without(nil, now, c.fields)
	if err != nil {
		return nil, err
	}
	return difference(before, after)
}
