package mongodb

import (
	"context"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/fingerprint"
)

var _ fingerprint.Source = (*database)(nil)

// Compare reads both databases again. The baseline may be read in another process.
func (d *database) Compare(ctx context.Context, now sluice.Fingerprint, baseline sluice.Database,
	was sluice.Fingerprint, limit int) (sluice.Comparison, error) {
	base, ok := baseline.(fingerprint.Source)
	if !ok || was.Engine != now.Engine {
		return sluice.Comparison{}, sluice.Errorf(sluice.Invalid, "the baseline is not a MongoDB database")
	}
	return fingerprint.Reading{
		Was: fingerprint.Print{Fingerprint: was, Source: base}, Now: fingerprint.Print{Fingerprint: now, Source: d},
		Ignored: d.ignored, Limit: limit,
	}.Compare(ctx)
}

// Hashes implements [fingerprint.Source].
func (d *database) Hashes(ctx context.Context, s fingerprint.Selection,
	visit func(key []byte, hash fingerprint.Hash) error) error {
	c, err := d.collection(ctx, s.Collection)
	if c == nil {
		return err
	}
	scratches := make([]scratch, workers())
	return d.visit(ctx, *c, func(worker int, document []byte) error {
		own := &scratches[worker]
		var err error
		if own.key, err = appendKey(own.key[:0], document); err != nil || !s.In.Has(own.key) {
			return err
		}
		if len(s.Without) > 0 {
			if own.document, err = without(own.document[:0], document, s.Without); err != nil {
				return err
			}
			document = own.document
		}
		own.sortable = appendSortable(own.sortable[:0], own.key)
		return visit(own.sortable, fingerprint.HashOf(document))
	})
}

// A scratch is the memory of a worker.
type scratch struct{ key, sortable, document []byte }

// Names implements [fingerprint.Source].
func (d *database) Names(_ context.Context, keys []string) ([]string, error) {
	names := make([]string, 0, len(keys))
	for _, sortable := range keys {
		key, err := keyOf(sortable)
		if err != nil {
			return nil, err
		}
		names = append(names, renderKey(key))
	}
	return names, nil
}

// visit visits every document of the collection.
func (d *database) visit(ctx context.Context, c collection, visit func(worker int, document []byte) error) error {
	parts, err := d.parts(ctx, 0, c)
	if err != nil {
		return err
	}
	return d.scan(ctx, parts, func(worker int, some *chunk) error {
		err := some.each(func(document []byte) error { return visit(worker, document) })
		return d.wrap(ctx, "read "+c.name, err)
	})
}
