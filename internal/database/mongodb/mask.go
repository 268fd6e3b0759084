package mongodb

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mask"
)

var _ sluice.Masker = (*database)(nil)

// Mask implements [sluice.Masker]. It reads each masked collection once, keeps the masked documents in a file without a
// name, and then replaces the collection. It never reads what it has just written, so nothing is masked twice.
func (d *database) Mask(ctx context.Context, m sluice.Mask, key []byte, report func(sluice.Amount)) (int64, error) {
	if err := d.writable(ctx); err != nil {
		return 0, err
	}
	if err := d.alone(ctx); err != nil {
		return 0, err
	}
	all, _, err := d.collections(ctx)
	if err != nil {
		return 0, err
	}
	rules, err := rulesOf(m, all)
	if err != nil {
		return 0, err
	}
	p := &progress{report: report}
	for _, c := range all {
		if rules[c.name] != nil {
			p.total += c.expected
		}
	}
	var documents int64
	for _, c := range all {
		if rules[c.name] == nil {
			continue
		}
		n, err := d.maskCollection(ctx, c, redactor{masker: mask.New(key), rules: rules[c.name]}, p)
		if err != nil {
			return documents, err
		}
		documents += n
	}
	return documents, nil
}

// writable refuses a server that would refuse every write.
func (d *database) writable(ctx context.Context) error {
	var hello struct {
		Primary bool `bson:"isWritablePrimary"`
		Master  bool `bson:"ismaster"`
	}
	if err := d.db.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		return d.wrap(ctx, "mask", err)
	}
	if !hello.Primary && !hello.Master {
		return sluice.Errorf(sluice.Unsupported, "the database at %s accepts no writes when it runs alone", d.address).
			WithHint("a member of a replica set becomes primary only among the others: start the workload without " +
				"--replSet if its namespace ends in a -sluice- name, or copy from a standalone server")
	}
	return nil
}

// alone refuses a server with other databases of users, which would be copied without a mask.
func (d *database) alone(ctx context.Context) error {
	others, err := d.others(ctx)
	if err != nil {
		return err
	}
	if len(others) > 0 {
		return sluice.Errorf(sluice.Failed, "the copy also contains the databases %s, which the mask of %s does not cover",
			strings.Join(others, ", "), d.db.Name()).
			WithHint("keep them on another server: Sluice copies whole volumes")
	}
	return nil
}

// rulesOf assigns the rules to collections and returns, by collection, the rule of each path. Names of collections may
// contain dots: the longest name that matches wins.
func rulesOf(m sluice.Mask, all []collection) (map[string]map[string]string, error) {
	rules := map[string]map[string]string{}
	for _, entry := range slices.Sorted(maps.Keys(m)) {
		best := ""
		for _, c := range all {
			if rest, ok := strings.CutPrefix(entry, c.name+"."); ok && rest != "" && len(c.name) > len(best) {
				best = c.name
			}
		}
		if best == "" {
			collection, _, _ := strings.Cut(entry, ".")
			return nil, sluice.Errorf(sluice.Failed, "the rule for %s matches nothing: there is no collection %s",
				entry, collection).WithHint("correct or remove it in maskData")
		}
		if rules[best] == nil {
			rules[best] = map[string]string{}
		}
		rules[best][strings.TrimPrefix(entry, best+".")] = m[entry]
	}
	return rules, nil
}

func (d *database) maskCollection(ctx context.Context, c collection, r redactor, p *progress) (n int64, err error) {
	kept, err := newSpool()
	if err != nil {
		return 0, aside(err)
	}
	defer func() { err = cmp.Or(err, kept.close()) }()
	n, err = d.redact(ctx, c, r, kept)
	if err != nil {
		return n, err
	}
	if err := d.replace(ctx, c, kept, p); err != nil {
		return n, err
	}
	return n, d.compact(ctx, c.name)
}

// redact reads the collection once. After the first document that must not be used, it only looks at documents, to name
// all undeclared fields at once.
func (d *database) redact(ctx context.Context, c collection, r redactor, kept *spool) (int64, error) {
	parts, err := d.parts(ctx, 0, c)
	if err != nil {
		return 0, err
	}
	at := make([]redactor, workers())
	scratches := make([][]byte, workers())
	for i := range at {
		at[i] = r.fresh()
	}
	err = d.scan(ctx, parts, func(worker int, c *chunk) error {
		own := &at[worker]
		return c.each(func(document []byte) error {
			own.documents++
			masked, err := own.redact(scratches[worker][:0], document)
			scratches[worker] = masked
			if err != nil || own.spoiled() {
				return err
			}
			return kept.add(masked)
		})
	})
	if err != nil {
		return 0, d.wrap(ctx, "mask "+c.name, err)
	}
	for _, other := range at[1:] {
		at[0].merge(other)
	}
	return at[0].documents, at[0].mistakes(c.name)
}
