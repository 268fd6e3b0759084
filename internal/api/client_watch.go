package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"strconv"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
)

// maxLine bounds a line of a stream: an event with a whole plan.
const maxLine = 64 << 20

// Watch yields the updates of a deployment after the event numbered after, until it has ended or ctx ends. It connects
// again while the server is away, and leaves out and repeats no event.
func (c *Client) Watch(ctx context.Context, id sluice.DeploymentID, after sluice.Seq) iter.Seq2[engine.Update, error] {
	return func(yield func(engine.Update, error) bool) {
		ended := false
		for data, err := range c.follow(ctx, deploymentPath(id, "/watch"), int64(after), func() bool { return ended }) {
			var u engine.Update
			if err == nil {
				err = decoded(data, &u)
			}
			ended = u.Event != nil && u.Event.Kind == sluice.DeploymentEnded
			if !yield(u, err) || err != nil {
				return
			}
		}
	}
}

// Tail yields the entries of the feed after the cursor.
func (c *Client) Tail(ctx context.Context, after sluice.Cursor) iter.Seq2[sluice.Entry, error] {
	return func(yield func(sluice.Entry, error) bool) {
		for data, err := range c.follow(ctx, "/feed", int64(after), func() bool { return false }) {
			var e sluice.Entry
			if err == nil {
				err = decoded(data, &e)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

func decoded(data []byte, into any) error {
	if err := json.Unmarshal(data, into); err != nil {
		return sluice.Errorf(sluice.Unavailable, "the server sends an event that cannot be read: %w", err)
	}
	return nil
}

// follow yields the data of the events of a stream, from one connection after the other, until a stream ends and
// complete says that it was whole. The end of ctx is not an error.
func (c *Client) follow(ctx context.Context, path string, after int64, complete func() bool) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		last := strconv.FormatInt(after, 10)
		for heard := time.Now(); ; {
			begun := time.Now()
			err := c.events(ctx, call{method: http.MethodGet, path: path, last: last}, func(e message) bool {
				heard = time.Now()
				if e.id != "" {
					last = e.id
				}
				return yield(e.data, nil)
			})
			heard = lastHeard(heard, begun)
			switch {
			case ctx.Err() != nil || errors.Is(err, errLeft) || err == nil && complete():
				return
			case c.direct && err == nil: // it no longer runs the deployment
				return
			case err != nil && sluice.ErrorCode(err) != sluice.Unavailable || c.gaveUp(heard):
				if err == nil {
					err = c.away(errEarly)
				}
				yield(nil, err)
				return
			}
			if !wait(ctx, pause) {
				return
			}
		}
	}
}

// errEarly says that a stream ended before what it is about.
var errEarly = errors.New("it ends its streams too early")

// lastHeard returns when a server was last there that sent its last event at heard, and to which a connection begun
// then has just ended. One that held for a while was a server, though it had nothing to say.
func lastHeard(heard, begun time.Time) time.Time {
	if time.Since(begun) > doubt {
		return time.Now()
	}
	return heard
}

// errLeft says that the reader of a stream wants no more.
var errLeft = errors.New("left")

// A message is one Server-Sent Event.
type message struct {
	id, kind string
	data     []byte
}

// events hands out the events of one connection. The end of the stream is no error.
func (c *Client) events(ctx context.Context, r call, take func(message) bool) error {
	resp, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	return c.messages(resp, take)
}

// messages hands out the events of an answer, and closes it.
func (c *Client) messages(resp *http.Response, take func(message) bool) error {
	defer resp.Body.Close()
	lines := bufio.NewReaderSize(resp.Body, 64<<10)
	var m message
	for size := 0; ; {
		line, err := lines.ReadSlice('\n')
		if size += len(line); size > maxLine {
			return sluice.Errorf(sluice.Unavailable, "the server sends an event of more than %d MiB", maxLine>>20)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			var rest []byte
			first := bytes.Clone(line)
			rest, err = lines.ReadBytes('\n')
			line = append(first, rest...)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return c.away(err)
		}
		if m.add(bytes.TrimRight(line, "\r\n")) {
			continue
		}
		size = 0
		if m.kind == "error" {
			return c.problemIn(m.data)
		}
		if m.data != nil && !take(m) {
			return errLeft
		}
		m = message{}
	}
}

// add adds a line to the event. It returns false if the line ends the event.
func (m *message) add(line []byte) bool {
	if len(line) == 0 {
		return false
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(name) {
	case "id":
		m.id = string(value)
	case "event":
		m.kind = string(value)
	case "data":
		m.data = bytes.Clone(value)
	}
	return true
}

func (c *Client) problemIn(data []byte) error {
	var p Problem
	if err := json.Unmarshal(data, &p); err != nil || p.Code == "" {
		return c.away(errors.New("its stream ended with an error that is none of sluice"))
	}
	return p.err()
}
