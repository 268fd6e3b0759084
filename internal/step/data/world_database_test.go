package data_test

import (
	"context"
	"io"
	"maps"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/fingerprint"
)

// fakeDatabases opens the database that answers behind the dialled address.
type fakeDatabases struct{ *world }

func (d fakeDatabases) Open(ctx context.Context, uri string, dial sluice.Dial) (sluice.Database, error) {
	if uri != "mongodb://shop:sesame@mongo.prod:27017/shop" {
		return nil, sluice.Errorf(sluice.Invalid, "the uri is %q", uri)
	}
	c, err := dial(ctx, "tcp", "mongo.prod:27017")
	if err != nil {
		return nil, err
	}
	namespace, err := io.ReadAll(c)
	if err != nil {
		return nil, err
	}
	if err := c.Close(); err != nil {
		return nil, err
	}
	return fakeDatabase{d.world, string(namespace), nil}, nil
}

type fakeDatabase struct {
	*world
	namespace string
	ignored   []string
}

// Ignoring implements sluice.Ignorer: any name stands for all values.
func (d fakeDatabase) Ignoring(names []string) sluice.Database {
	d.ignored = names
	return d
}

// maskPrefix shows how often a value was masked.
const maskPrefix = "masked:"

// Mask implements sluice.Masker, a document at a time.
func (d fakeDatabase) Mask(
	ctx context.Context, m sluice.Mask, key []byte, report func(sluice.Amount),
) (n int64, err error) {
	if string(key) != "mask key" || m["orders.value"] != "hash" {
		return 0, sluice.Errorf(sluice.Invalid, "masked by %v with %s", m, key)
	}
	content, err := d.content()
	if err != nil {
		return 0, err
	}
	for _, k := range slices.Sorted(maps.Keys(content)) {
		if err := d.effect(ctx, func() error {
			content[k] = maskPrefix + content[k]
			n++
			return nil
		}); err != nil {
			return n, err
		}
		report(sluice.Amount{Unit: "documents", Done: n, Total: int64(len(content))})
	}
	if d.damage {
		delete(content, "a")
	}
	return n, nil
}

func (d fakeDatabase) content() (documents, error) {
	if !d.running(d.namespace) {
		return nil, sluice.Errorf(sluice.Unavailable, "no database answers in %s", d.namespace)
	}
	v := d.volumes[d.namespace+"/mongo-data"]
	if v.generations[v.current]["broken"] != "" {
		return nil, sluice.Errorf(sluice.Failed, "connect to mongo.prod:27017: the data of %s is damaged", d.namespace)
	}
	return v.generations[v.current], nil
}

func (d fakeDatabase) Fingerprint(
	ctx context.Context, _ []sluice.Invariant, report func(sluice.Amount),
) (f sluice.Fingerprint, err error) {
	err = d.effect(ctx, func() error {
		content, err := d.content()
		if err != nil {
			return err
		}
		set := fingerprint.NewSet(1)
		for k, v := range content {
			if len(d.ignored) > 0 {
				v = ""
			}
			set.Add([]byte(k), []byte(k+"="+v))
		}
		report(sluice.Amount{Unit: "documents", Done: int64(len(content)), Total: int64(len(content))})
		f = sluice.Fingerprint{Engine: "mongodb", Version: "1", Others: d.server.Others}
		f.Collections = []sluice.CollectionFingerprint{set.Fingerprint("orders")}
		f.Invariants = []sluice.InvariantValue{{Name: "none lost", Value: float64(len(content))}}
		return nil
	})
	return f, err
}

func (d fakeDatabase) Compare(
	ctx context.Context, _ sluice.Fingerprint, baseline sluice.Database, _ sluice.Fingerprint, _ int,
) (c sluice.Comparison, err error) {
	err = d.effect(ctx, func() error {
		now, err := d.content()
		if err != nil {
			return err
		}
		was, err := baseline.(fakeDatabase).content()
		if err != nil {
			return err
		}
		found := sluice.CollectionComparison{Name: "orders"}
		for _, k := range slices.Sorted(maps.Keys(was)) {
			switch v, ok := now[k]; {
			case !ok:
				found.Missing++
				found.MissingKeys = append(found.MissingKeys, k)
			case v != was[k]:
				found.Changed++
				found.ChangedKeys = append(found.ChangedKeys, sluice.ChangedKey{Key: k})
			}
		}
		for _, k := range slices.Sorted(maps.Keys(now)) {
			if _, ok := was[k]; !ok {
				found.Added++
				found.AddedKeys = append(found.AddedKeys, k)
			}
		}
		if found.Missing+found.Added+found.Changed > 0 {
			c.Collections = []sluice.CollectionComparison{found}
		}
		return nil
	})
	return c, err
}

// Describe implements sluice.Describer.
func (d fakeDatabase) Describe(context.Context) (sluice.Server, error) { return d.server, nil }

func (fakeDatabase) Close(context.Context) error { return nil }
