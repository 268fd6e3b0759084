package local

import (
	"bufio"
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/agent"
	kjson "sigs.k8s.io/json"
)

// Watch yields the objects of the kind and then each again when it changes. It continues after restarts of the agent:
// it yields the objects that changed or were deleted meanwhile, and does not repeat the others.
func (a *Account) Watch(ctx context.Context, apiVersion, kind, namespace string) iter.Seq2[sluice.Object, error] {
	return a.Follow(ctx, sluice.Ref{APIVersion: apiVersion, Kind: kind, Namespace: namespace})
}

// Follow is Watch for one object.
func (a *Account) Follow(ctx context.Context, ref sluice.Ref) iter.Seq2[sluice.Object, error] {
	return func(yield func(sluice.Object, error) bool) {
		w := &watch{account: a, of: ref, seen: map[string]sluice.Object{}, yield: yield}
		for {
			err := w.once(ctx)
			if w.stopped {
				return
			}
			if ctx.Err() == nil && w.synced && !errors.Is(err, errSilent) {
				w.synced = false // it worked until now, so it is worth another try
				continue
			}
			yield(nil, err)
			return
		}
	}
}

type watch struct {
	account *Account
	of      sluice.Ref               // without a name: every object of the kind
	seen    map[string]sluice.Object // by uid
	fresh   map[string]bool          // uids of this connection, until it is synced
	yield   func(sluice.Object, error) bool
	told    bool // the caller got something
	stopped bool // the caller wants no more
	synced  bool
}

// once follows one connection to its end.
func (w *watch) once(ctx context.Context) error {
	request := agent.WatchRequest{APIVersion: w.of.APIVersion, Kind: w.of.Kind, Namespace: w.of.Namespace}
	body, err := w.account.stream(ctx, "/watch", request)
	if err != nil {
		return err
	}
	defer body.Close()
	w.fresh = map[string]bool{}
	lines := bufio.NewReader(body)
	for !w.stopped {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return away(ctx, err)
		}
		var e agent.WatchEvent
		if err := kjson.UnmarshalCaseSensitivePreserveInts(line, &e); err != nil {
			return errors.Join(err, io.ErrUnexpectedEOF)
		}
		w.event(e)
	}
	return nil
}

func (w *watch) event(e agent.WatchEvent) {
	if e.Synced {
		w.synced = true
		w.dropAbsent()
		if w.of.Name != "" && !w.told {
			w.send(w.of.Absent())
		}
		return
	}
	if w.of.Name != "" && e.Object.Ref().Name != w.of.Name {
		return
	}
	uid := e.Object.Text("metadata", "uid")
	w.fresh[uid] = true
	if e.Ending {
		w.told = true // of its end, as soon as it comes
		return
	}
	if e.Object.Text("metadata", "deletionTimestamp") != "" {
		delete(w.seen, uid)
		w.send(e.Object)
		return
	}
	last, known := w.seen[uid]
	w.seen[uid] = e.Object
	if known && last.Text("metadata", "resourceVersion") == e.Object.Text("metadata", "resourceVersion") {
		return
	}
	w.send(e.Object)
}

// dropAbsent yields the objects that were deleted while there was no connection.
func (w *watch) dropAbsent() {
	for uid, o := range w.seen {
		if w.fresh[uid] {
			continue
		}
		delete(w.seen, uid)
		o = o.Clone()
		o.Set(time.Now().UTC().Format(time.RFC3339), "metadata", "deletionTimestamp")
		w.send(o)
	}
}

func (w *watch) send(o sluice.Object) {
	w.told = true
	if !w.stopped && !w.yield(o, nil) {
		w.stopped = true
	}
}
