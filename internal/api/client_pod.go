package api

import (
	"context"
	"errors"
	"hash/maphash"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/sluice-cd/sluice"
)

// TailPod yields the lines of a pod until it has ended. It connects again while the server is away, and repeats no
// line. The server begins with the first line that is kept: if the lines that were yielded do not come again, others
// may be missing, and TailPod ends with Conflict. The end of ctx is not an error. Without an account it is that of the
// latest deployment to the namespace. It keeps eight bytes for each line.
func (c *Client) TailPod(ctx context.Context, account, namespace, pod string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		t := &podTail{pod: pod, seed: maphash.MakeSeed(), yield: yield, heard: time.Now()}
		r := call{
			method: http.MethodGet, path: podPath(namespace, pod, "/follow"), query: url.Values{"account": {account}},
		}
		for {
			err := t.read(ctx, c, r)
			switch {
			case ctx.Err() != nil || t.ended && err == nil || errors.Is(err, errLeft):
				return
			case sluice.ErrorCode(err) != sluice.Unavailable || c.gaveUp(t.heard):
				yield("", err)
				return
			}
			if !wait(ctx, pause) {
				return
			}
		}
	}
}

// A podTail is what a reader knows of the output of a pod.
type podTail struct {
	pod   string
	yield func(string, error) bool
	seed  maphash.Seed
	seen  []uint64 // a hash of each line that was yielded
	again int      // how many of them came again on this connection
	ended bool
	heard time.Time // when the server was last there
}

// read yields the lines of one connection that are new. It returns nil only if the pod has ended.
func (t *podTail) read(ctx context.Context, c *Client, r call) error {
	t.again = 0
	begun := time.Now()
	var broken error
	err := c.events(ctx, r, func(m message) bool {
		if m.kind == "ended" {
			t.ended = true
			return false
		}
		var l PodLine
		if broken = decoded(m.data, &l); broken == nil {
			broken = t.add(l.Line)
		}
		return broken == nil
	})
	t.heard = lastHeard(t.heard, begun)
	switch {
	case broken != nil:
		return broken
	case t.ended && t.again < len(t.seen):
		return t.gap()
	case t.ended:
		return nil
	case err == nil:
		return c.away(errEarly)
	}
	return err
}

// add yields a line unless it was yielded on an earlier connection.
func (t *podTail) add(line string) error {
	hash := maphash.String(t.seed, line)
	if t.again < len(t.seen) {
		if t.seen[t.again] != hash {
			return t.gap()
		}
		t.again++
		return nil
	}
	t.heard = time.Now()
	t.seen = append(t.seen, hash)
	t.again++
	if !t.yield(line, nil) {
		return errLeft
	}
	return nil
}

func (t *podTail) gap() error {
	return sluice.Errorf(sluice.Conflict, "lines of pod %s may be missing here: the connection broke, and its output "+
		"begins anew", t.pod).WithHint("type the same command again to begin with the first line that is kept")
}
