package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/agent"
	"github.com/sluice-cd/sluice/internal/local/process"
)

// errSilent is why a call gave up.
var errSilent = fmt.Errorf("has not answered for %s", agent.Patience)

// A conversation is one request to the agent and its answer, which may take as long as they want while the agent lives.
type conversation struct {
	ctx context.Context
	end context.CancelCauseFunc
}

// converse begins a conversation. It breaks off when the agent no longer answers even a ping.
func (a *Account) converse(ctx context.Context) conversation {
	c := conversation{}
	c.ctx, c.end = context.WithCancelCause(ctx)
	go func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-c.ctx.Done():
				return
			case <-ticker.C:
			}
			if a.isSilent(c.ctx) {
				c.end(a.silence())
				return
			}
		}
	}()
	return c
}

// explain returns why the conversation broke off, otherwise err.
func (c conversation) explain(err error) error {
	if cause := context.Cause(c.ctx); errors.Is(cause, errSilent) {
		return cause
	}
	return err
}

// isSilent reports whether the agent is there and does not answer. One that has died breaks the conversation itself.
func (a *Account) isSilent(ctx context.Context) bool {
	asked, cancel := context.WithTimeout(ctx, agent.Patience)
	defer cancel()
	r, err := http.NewRequestWithContext(asked, http.MethodGet, "http://agent/ping", nil)
	if err != nil {
		return false
	}
	resp, err := a.client.Do(r)
	if err != nil {
		return ctx.Err() == nil && errors.Is(asked.Err(), context.DeadlineExceeded)
	}
	_ = resp.Body.Close() // an agent of an earlier version knows no ping, but it has answered
	return false
}

// silence says which process does not answer, and what to do about it.
func (a *Account) silence() error {
	id, err := a.agent()
	if err != nil {
		return sluice.Errorf(sluice.Unavailable, "the agent of the local account %s %w", a.config.Name, errSilent)
	}
	e := sluice.Errorf(sluice.Unavailable, "the agent of the local account %s (process %d) %w",
		a.config.Name, id.PID, errSilent)
	if process.Stopped(id) {
		return e.WithHint("the process is stopped; let it continue with: kill -CONT %d", id.PID)
	}
	return e.WithHint("try again when this machine has less to do, or end the process with: kill -9 %d\n"+
		"the next command starts another agent, which takes over the pods", id.PID)
}

// A reply is the body of an answer.
type reply struct {
	io.ReadCloser
	conversation
}

// Read fails with the reason when the conversation has broken off.
func (r reply) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = r.explain(err)
	}
	return n, err
}

// Close ends the conversation.
func (r reply) Close() error {
	r.end(os.ErrClosed)
	return r.ReadCloser.Close()
}
