package remote

import (
	"context"
	"net/http"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/fingerprint"
	"github.com/sluice-cd/sluice/internal/secret"
)

// A handler is the Job's side.
type handler struct {
	mux     *http.ServeMux
	engines map[string]sluice.Databases
	dial    func(namespace string) sluice.Dial
	locks   locks
}

// Offer offers databases of the engines to Sluice. They are reached by dial, which is [Inside] in a Job.
func Offer(mux *http.ServeMux, engines map[string]sluice.Databases, dial func(namespace string) sluice.Dial) {
	h := &handler{mux: mux, engines: engines, dial: dial, locks: locks{held: map[string]*held{}}}
	offer(h, pathOpen, func(context.Context, sluice.Database, target, func(sluice.Amount)) (done, error) {
		return done{}, nil
	})
	offer(h, pathDescribe, describe)
	offer(h, pathFingerprint, printed)
	offer(h, pathOutlines, outlines)
	offer(h, pathNames, names)
	offer(h, pathMask, mask)
	offer(h, pathLockable, lockable)
	mux.HandleFunc("POST "+pathHashes, h.hashes)
	beside.Handle(mux, pathLock, h.lock)
	beside.Handle(mux, pathUnlock, h.unlock)
}

// offer offers a function of an open database.
func offer[A interface{ at() target }, R any](h *handler, path string,
	f func(ctx context.Context, db sluice.Database, arguments A, report func(sluice.Amount)) (R, error)) {
	beside.Handle(h.mux, path, func(ctx context.Context, arguments A, report func(sluice.Amount)) (result R, err error) {
		err = h.with(ctx, arguments.at(), func(db sluice.Database) error {
			result, err = f(ctx, db, arguments, report)
			return err
		})
		return result, err
	})
}

// with opens the database for as long as use takes.
func (h *handler) with(ctx context.Context, t target, use func(sluice.Database) error) error {
	db, err := h.open(ctx, t)
	if err != nil {
		return err
	}
	err = use(db)
	if closed := db.Close(context.WithoutCancel(ctx)); err == nil {
		err = closed
	}
	return t.redacted(err)
}

func (h *handler) open(ctx context.Context, t target) (sluice.Database, error) {
	engine := h.engines[t.Engine]
	if engine == nil {
		return nil, unable(t, "read")
	}
	db, err := engine.Open(ctx, t.URI, h.dial(t.Namespace))
	if err != nil || len(t.Ignored) == 0 {
		return db, t.redacted(err)
	}
	if ig, ok := db.(sluice.Ignorer); ok {
		return ig.Ignoring(t.Ignored), nil
	}
	_ = db.Close(context.WithoutCancel(ctx)) // it was not used
	return nil, unable(t, "read in part")
}

// redacted returns the error without the URI and its password, whatever an engine puts into it.
func (t target) redacted(err error) error {
	if err == nil {
		return nil
	}
	r := new(secret.Redactor)
	r.Learn(t.URI)
	return &sluice.Error{Code: sluice.ErrorCode(err), Message: r.Text(err.Error()), Hint: r.Text(sluice.ErrorHint(err))}
}

func unable(t target, verb string) error {
	return sluice.Errorf(sluice.Unsupported, "databases of the engine %q cannot be %s beside the data", t.Engine, verb)
}

func describe(ctx context.Context, db sluice.Database, t target, _ func(sluice.Amount)) (sluice.Server, error) {
	d, ok := db.(sluice.Describer)
	if !ok {
		return sluice.Server{}, unable(t, "described")
	}
	return d.Describe(ctx)
}

func printed(ctx context.Context, db sluice.Database, c fingerprintCall, report func(sluice.Amount)) (
	sluice.Fingerprint, error) {
	return db.Fingerprint(ctx, c.Invariants, report)
}

func outlines(ctx context.Context, db sluice.Database, c outlinesCall, _ func(sluice.Amount)) (
	r outlinesResult, err error) {
	source, ok := db.(fingerprint.Source)
	if !ok {
		return r, unable(c.target, "compared")
	}
	c.Documents.Keys = textKeys(c.Keys)
	r.Outlines, err = source.Outlines(ctx, c.Documents)
	return r, err
}

func names(ctx context.Context, db sluice.Database, c namesCall, _ func(sluice.Amount)) (r namesResult, err error) {
	source, ok := db.(fingerprint.Source)
	if !ok {
		return r, unable(c.target, "compared")
	}
	r.Names, err = source.Names(ctx, textKeys(c.Keys))
	return r, err
}

func mask(ctx context.Context, db sluice.Database, c maskCall, report func(sluice.Amount)) (r maskResult, err error) {
	masker, ok := db.(sluice.Masker)
	if !ok {
		return r, unable(c.target, "masked")
	}
	r.Documents, err = masker.Mask(ctx, c.Mask, c.Key, report)
	return r, err
}
