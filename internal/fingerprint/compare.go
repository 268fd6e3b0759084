package fingerprint

import (
	"cmp"
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-cd/sluice"
)

// joined bounds how many documents of both sides a comparison keeps the key and the hash of.
const joined = 500_000

// A Print is a database that can be read again, with its fingerprint.
type Print struct {
	sluice.Fingerprint
	Source Source
}

// A Reading compares two databases by reading them again. Limit bounds the keys listed per collection and kind.
type Reading struct {
	Was, Now Print
	Ignored  Ignored
	Limit    int
}

// Compare reads both databases again, side by side, once for every half a million documents in segments that differ. It
// asks for the listed documents that changed once more, to say which fields differ. Ignored fields are not hashed, so
// documents that differ only in them count as equal.
func (r Reading) Compare(ctx context.Context) (sluice.Comparison, error) {
	var comparison sluice.Comparison
	for _, pair := range Pairs(r.Was.Fingerprint, r.Now.Fingerprint, r.Ignored) {
		c := comparer{Reading: r, pair: pair, without: r.Ignored.Fields(pair.Name)}
		result, err := c.compare(ctx)
		if err != nil {
			return sluice.Comparison{}, err
		}
		if differs(result) {
			comparison.Collections = append(comparison.Collections, result)
		}
	}
	return comparison, nil
}

func differs(c sluice.CollectionComparison) bool {
	return c.Missing+c.Added+c.Changed > 0 || len(c.MissingIndexes)+len(c.AddedIndexes)+len(c.ChangedIndexes) > 0
}

// A comparer finds the differences in one collection.
type comparer struct {
	Reading
	pair    Pair
	without []string
}

func (c comparer) compare(ctx context.Context) (sluice.CollectionComparison, error) {
	result := sluice.CollectionComparison{Name: c.pair.Name}
	result.MissingIndexes, result.AddedIndexes, result.ChangedIndexes = c.pair.Indexes(c.Ignored)
	missing, added, changed := c.list(), c.list(), c.list()
	for _, batch := range Narrow(c.pair, joined) {
		join := NewJoin(func(key []byte) { changed.Add(string(key)) })
		if err := c.join(ctx, batch, join); err != nil {
			return result, err
		}
		join.Rest(missing.Add, added.Add)
	}
	result.Missing, result.Added, result.Changed = missing.Count, added.Count, changed.Count
	var err error
	if result.MissingKeys, err = names(ctx, c.Was.Source, missing.First()); err != nil {
		return result, err
	}
	if result.AddedKeys, err = names(ctx, c.Now.Source, added.First()); err != nil {
		return result, err
	}
	result.ChangedKeys, err = c.explain(ctx, changed.First())
	return result, err
}

func (c comparer) list() *List[string] { return NewList(c.Limit, cmp.Compare[string]) }

func names(ctx context.Context, s Source, keys []string) ([]string, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	return s.Names(ctx, keys)
}

// join reads both sides at the same time.
func (c comparer) join(ctx context.Context, batch Batch, join *Join) error {
	selection := Selection{Collection: c.pair.Name, Without: c.without, In: batch}
	group, ctx := errgroup.WithContext(ctx)
	for side, of := range map[Side]Source{Was: c.Was.Source, Now: c.Now.Source} {
		group.Go(func() error {
			return of.Hashes(ctx, selection, func(key []byte, hash Hash) error {
				join.Add(side, key, hash)
				return nil
			})
		})
	}
	return group.Wait()
}

// explain says for each key which fields of its document differ. Fields is empty for a document that is gone meanwhile.
func (c comparer) explain(ctx context.Context, keys []string) ([]sluice.ChangedKey, error) {
	names, err := names(ctx, c.Now.Source, keys)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	documents := Documents{Collection: c.pair.Name, Without: c.without, Keys: keys}
	var was, now []*Outline
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) { was, err = c.Was.Source.Outlines(ctx, documents); return err })
	group.Go(func() (err error) { now, err = c.Now.Source.Outlines(ctx, documents); return err })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	changed := make([]sluice.ChangedKey, len(keys))
	for i := range keys {
		changed[i].Key = names[i]
		if was[i] != nil && now[i] != nil {
			changed[i].Fields = Difference(was[i], now[i])
		}
	}
	return changed, nil
}
