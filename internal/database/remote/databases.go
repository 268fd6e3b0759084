package remote

import (
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/fingerprint"
)

// New returns the opener of databases of the engine in the namespace of the session's Job. Its Open ignores dial: the
// Job reaches the database itself.
func New(s *beside.Session, engine, namespace string) sluice.Databases {
	return databases{session: s, engine: engine, namespace: namespace}
}

type databases struct {
	session           *beside.Session
	engine, namespace string
}

// Open lets the Job open the database once, and so finds out what would prevent that later.
func (d databases) Open(ctx context.Context, uri string, _ sluice.Dial) (sluice.Database, error) {
	t := target{Engine: d.engine, URI: uri, Namespace: d.namespace}
	if _, err := beside.Call[target, done](ctx, d.session, pathOpen, t, nil); err != nil {
		return nil, err
	}
	return &database{target: t, session: d.session, locking: &locking{}}, nil
}

// A database is one that the Job reads.
type database struct {
	target
	session *beside.Session
	locking *locking
}

var (
	_ sluice.Database    = (*database)(nil)
	_ sluice.Ignorer     = (*database)(nil)
	_ sluice.Masker      = (*database)(nil)
	_ sluice.Describer   = (*database)(nil)
	_ sluice.Locker      = (*database)(nil)
	_ fingerprint.Source = (*database)(nil)
)

// Ignoring implements [sluice.Ignorer].
func (d *database) Ignoring(names []string) sluice.Database {
	view := *d
	view.Ignored = slices.Clone(names)
	return &view
}

// Fingerprint implements [sluice.Database].
func (d *database) Fingerprint(ctx context.Context, invariants []sluice.Invariant,
	report func(sluice.Amount)) (sluice.Fingerprint, error) {
	c := fingerprintCall{d.target, invariants}
	return beside.Call[fingerprintCall, sluice.Fingerprint](ctx, d.session, pathFingerprint, c, report)
}

// Compare implements [sluice.Database]. The baseline may be read anywhere.
func (d *database) Compare(ctx context.Context, now sluice.Fingerprint, baseline sluice.Database,
	was sluice.Fingerprint, limit int) (sluice.Comparison, error) {
	base, ok := baseline.(fingerprint.Source)
	if !ok || was.Engine != now.Engine {
		return sluice.Comparison{}, sluice.Errorf(sluice.Invalid, "the baseline is not a database of the engine %s", d.Engine)
	}
	return fingerprint.Reading{
		Was: fingerprint.Print{Fingerprint: was, Source: base}, Now: fingerprint.Print{Fingerprint: now, Source: d},
		Ignored: d.Ignored, Limit: limit,
	}.Compare(ctx)
}

// Outlines implements [fingerprint.Source].
func (d *database) Outlines(ctx context.Context, s fingerprint.Documents) ([]*fingerprint.Outline, error) {
	c := outlinesCall{d.target, s, rawKeys(s.Keys)}
	r, err := beside.Call[outlinesCall, outlinesResult](ctx, d.session, pathOutlines, c, nil)
	if err == nil && len(r.Outlines) != len(s.Keys) {
		err = miscounted(len(r.Outlines), len(s.Keys))
	}
	return r.Outlines, err
}

// Names implements [fingerprint.Source].
func (d *database) Names(ctx context.Context, keys []string) ([]string, error) {
	c := namesCall{d.target, rawKeys(keys)}
	r, err := beside.Call[namesCall, namesResult](ctx, d.session, pathNames, c, nil)
	if err == nil && len(r.Names) != len(keys) {
		err = miscounted(len(r.Names), len(keys))
	}
	return r.Names, err
}

func miscounted(got, want int) error {
	return sluice.Errorf(sluice.Failed, "the Job beside the database answered for %d of %d keys", got, want)
}

// Mask implements [sluice.Masker].
func (d *database) Mask(ctx context.Context, m sluice.Mask, key []byte, report func(sluice.Amount)) (int64, error) {
	r, err := beside.Call[maskCall, maskResult](ctx, d.session, pathMask, maskCall{d.target, m, key}, report)
	return r.Documents, err
}

// Describe implements [sluice.Describer].
func (d *database) Describe(ctx context.Context) (sluice.Server, error) {
	return beside.Call[target, sluice.Server](ctx, d.session, pathDescribe, d.target, nil)
}

// Close ends the lock. The session stays open: the caller that opened it closes it.
func (d *database) Close(ctx context.Context) error {
	if !d.locking.isHeld() {
		return nil
	}
	return d.Unlock(ctx)
}
