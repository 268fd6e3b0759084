package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/api"
	"github.com/sluice-cd/sluice/internal/engine"
)

// outputs makes each connection to a pod yield the next list of lines. All but the last one stay open after it.
func (w *world) outputs(lists ...[]string) {
	var connections atomic.Int32
	w.copies.tail = func(ctx context.Context) iter.Seq2[string, error] {
		i := min(int(connections.Add(1)), len(lists)) - 1
		return func(yield func(string, error) bool) {
			for _, line := range lists[i] {
				if !yield(line, nil) {
					return
				}
			}
			if i < len(lists)-1 {
				<-ctx.Done()
			}
		}
	}
}

func TestPodIsFollowedOverConnections(t *testing.T) {
	for name, c := range map[string]struct {
		lists [][]string
		want  []string
		code  sluice.Code
	}{
		"goes on": {
			[][]string{{"tick", "tick"}, {"tick", "tick", "tick", "cut"}, {"tick", "tick", "tick", "cut", "end"}},
			[]string{"tick", "tick", "tick", "cut", "end"}, "",
		},
		"ended meanwhile": {[][]string{{"one", "cut"}, {"one", "cut"}}, []string{"one", "cut"}, ""},
		"begins anew":     {[][]string{{"one", "cut"}, {"one", "other", "three"}}, []string{"one", "cut"}, sluice.Conflict},
		"lost its end":    {[][]string{{"one", "cut"}, {"one"}}, []string{"one", "cut"}, sluice.Conflict},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, openStore(t))
			w.outputs(c.lists...)
			breaks := len(c.lists) - 1
			var got []string
			var ended error
			for line, err := range w.as(t, "root").TailPod(t.Context(), "cluster01", "shop", "web-0") {
				if ended = err; err != nil {
					continue
				}
				got = append(got, line)
				if breaks > 0 && (line == "cut" || len(got) == len(c.lists[0])) {
					breaks--
					w.http.CloseClientConnections()
				}
			}
			wants(t, name, ended, c.code)
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q", got)
			}
		})
	}
}

// A connections is a transport whose requests get one body after the other, nil for a server that is away.
type connections struct {
	bodies []io.Reader
	made   int
}

func (c *connections) RoundTrip(r *http.Request) (*http.Response, error) {
	body := c.bodies[min(c.made, len(c.bodies)-1)]
	if c.made++; body == nil {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(body), Request: r}, nil
}

// A silence is a connection on which nothing comes for as long, until it breaks.
type silence time.Duration

func (s silence) Read([]byte) (int, error) {
	time.Sleep(time.Duration(s))
	return 0, io.ErrUnexpectedEOF
}

// The clock is that of synctest: nobody waits ten minutes.
func TestStreamGoesOnAfterALongSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := func(seq sluice.Seq, kind sluice.EventKind) io.Reader {
			data, err := json.Marshal(engine.Update{Event: &sluice.Event{Seq: seq, Kind: kind}})
			if err != nil {
				t.Fatal(err)
			}
			return strings.NewReader(fmt.Sprintf("id: %d\nevent: update\ndata: %s\n\n", seq, data))
		}
		h := &http.Client{Transport: &connections{bodies: []io.Reader{
			io.MultiReader(sent(1, sluice.StepStarting), silence(10*time.Minute)), nil, nil,
			sent(2, sluice.DeploymentEnded),
		}}}
		give := func(context.Context) (string, error) { return "", nil }
		c, err := api.Connect("http://sluice.example.com", give, h)
		if err != nil {
			t.Fatal(err)
		}
		var seen []sluice.Seq
		for u, err := range c.Watch(t.Context(), "d1", 0) {
			if err != nil {
				t.Fatal(err)
			}
			seen = append(seen, u.Event.Seq)
		}
		if !slices.Equal(seen, []sluice.Seq{1, 2}) {
			t.Errorf("events %v", seen)
		}
	})
}

// A server that never comes back is given up, whatever it was silent about.
func TestStreamOfALostServerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &http.Client{Transport: &connections{bodies: []io.Reader{silence(10 * time.Minute), nil}}}
		give := func(context.Context) (string, error) { return "", nil }
		c, err := api.Connect("http://sluice.example.com", give, h)
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		for _, err = range c.Watch(t.Context(), "d1", 0) {
			wants(t, "watch", err, sluice.Unavailable)
		}
		for _, err = range c.TailPod(t.Context(), "", "shop", "web-0") {
			wants(t, "follow a pod", err, sluice.Unavailable)
		}
		if took := time.Since(begun); took < 12*time.Minute || took > 15*time.Minute {
			t.Errorf("given up after %s", took)
		}
	})
}
