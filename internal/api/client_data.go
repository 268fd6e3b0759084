package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/service"
)

// work begins a piece of work and follows it to its end, also when the connection breaks or the server is started
// again. What it ended with is in out, also if it failed.
func (c *Client) work(ctx context.Context, r call, report func(WorkProgress), out any) error {
	r.method, r.key = http.MethodPost, newKey()
	for heard := time.Now(); ; {
		var ended *workEnd
		resp, err := c.send(ctx, r)
		if err == nil {
			err = c.messages(resp, func(m message) (more bool) {
				ended = takeWork(m, report)
				return ended == nil
			})
			heard = time.Now()
		}
		switch {
		case ended != nil:
			return ended.outcome(out)
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && sluice.ErrorCode(err) != sluice.Unavailable:
			return err
		case c.gaveUp(heard):
			return errors.Join(err, sluice.Errorf(sluice.Unavailable, "the server no longer tells how it goes on").
				WithHint("type the same command again"))
		}
		if !wait(ctx, pause) {
			return ctx.Err()
		}
	}
}

// A workEnd is an [Outcome] whose result has not been read.
type workEnd struct {
	Result  json.RawMessage `json:"result"`
	Problem *Problem        `json:"problem"`
}

// takeWork reports progress, and returns the end of a piece of work.
func takeWork(m message, report func(WorkProgress)) *workEnd {
	switch m.kind {
	case "progress":
		var p WorkProgress
		if json.Unmarshal(m.data, &p) == nil { // of a newer server it may be more than this client shows
			report(p)
		}
	case "ended":
		var end workEnd
		if err := json.Unmarshal(m.data, &end); err != nil {
			end.Problem = problemOf(sluice.Errorf(sluice.Unavailable, "the server sends an outcome that cannot be read"))
		}
		return &end
	}
	return nil
}

func (e workEnd) outcome(out any) error {
	var err error
	if len(e.Result) > 0 {
		err = decoded(e.Result, out)
	}
	if e.Problem != nil {
		return e.Problem.err()
	}
	return err
}

// VerifyCheckpoint proves that a checkpoint can be restored, and returns it.
func (c *Client) VerifyCheckpoint(
	ctx context.Context, id sluice.CheckpointID, report func(WorkProgress),
) (out sluice.Checkpoint, err error) {
	err = c.work(ctx, call{path: checkpointPath(string(id), "/verification")}, report, &out)
	return out, err
}

// MakeBranch makes a branch, or goes on with one that was interrupted.
func (c *Client) MakeBranch(
	ctx context.Context, q BranchRequest, report func(WorkProgress),
) (out service.ReachedBranch, err error) {
	err = c.work(ctx, call{path: "/branches", body: q}, report, &out)
	return out, err
}

// Reap deletes what has expired. It returns what it deleted, also if something could not be deleted.
func (c *Client) Reap(ctx context.Context) (out service.Reaped, err error) {
	err = c.work(ctx, call{path: "/reaping"}, func(WorkProgress) {}, &out)
	return out, err
}

// Branches lists the branches, and says which accounts cannot be asked.
func (c *Client) Branches(ctx context.Context) (list []sluice.Branch, silent map[string]error, err error) {
	var out Branches
	err = c.do(ctx, call{method: http.MethodGet, path: "/branches"}, &out)
	silent = map[string]error{}
	for _, s := range out.Silent {
		silent[s.Account] = s.Problem.err()
	}
	return out.Items, silent, err
}

func branchPath(b sluice.Branch) string {
	return "/branches/" + url.PathEscape(b.Account) + "/" + url.PathEscape(b.Namespace)
}

// Branch returns a branch, of which account and namespace are known, and how it is reached.
func (c *Client) Branch(ctx context.Context, b sluice.Branch) (out service.ReachedBranch, err error) {
	err = c.do(ctx, call{method: http.MethodGet, path: branchPath(b)}, &out)
	return out, err
}

// ExtendBranch changes until when a branch stays.
func (c *Client) ExtendBranch(ctx context.Context, b sluice.Branch, until time.Time) (out sluice.Branch, err error) {
	err = c.do(ctx, call{method: http.MethodPatch, path: branchPath(b), body: Extension{until}, key: newKey()}, &out)
	return out, err
}

// DeleteBranch deletes a branch with its namespace.
func (c *Client) DeleteBranch(ctx context.Context, b sluice.Branch) error {
	return c.do(ctx, call{method: http.MethodDelete, path: branchPath(b)}, nil)
}

func podPath(namespace, pod, rest string) string {
	return "/pods/" + url.PathEscape(namespace) + "/" + url.PathEscape(pod) + "/log" + rest
}

// PodLogs returns the last lines of a pod. Without an account it is that of the latest deployment to the namespace.
func (c *Client) PodLogs(ctx context.Context, account, namespace, pod string, lines int) ([]string, error) {
	var out PodLog
	query := url.Values{"account": {account}, "lines": {strconv.Itoa(lines)}}
	err := c.do(ctx, call{method: http.MethodGet, path: podPath(namespace, pod, ""), query: query}, &out)
	return out.Lines, err
}
