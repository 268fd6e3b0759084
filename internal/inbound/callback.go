package inbound

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/status"
)

// maxCallback bounds a callback's body.
const maxCallback = 64 << 10

// Secrets makes and proves the secrets in callback URLs.
type Secrets interface {
	Callback(id sluice.DeploymentID, step sluice.StepID) string
	IsCallback(id sluice.DeploymentID, step sluice.StepID, secret string) bool
}

// Callbacks receives what webhooks answer:
//
//	POST /callbacks/{deployment}/{step...}/{secret}/callback  {"success": true, "mdMessage": "..."}
//
// A callback counts once. The answer to a second one is 409, to a late one 410, and to a wrong secret 404.
type Callbacks struct {
	engine  *engine.Engine
	log     sluice.Log
	secrets Secrets
	now     func() time.Time
	mu      sync.Mutex // held from looking at a step until its signal is recorded
}

// NewCallbacks returns the receiver.
func NewCallbacks(e *engine.Engine, log sluice.Log, secrets Secrets, now func() time.Time) *Callbacks {
	return &Callbacks{engine: e, log: log, secrets: secrets, now: now}
}

// CallbackURL returns the URL under base for a step's callback, with its secret. The webhook's receiver appends
// /callback to it.
func CallbackURL(base string, secrets Secrets, id sluice.DeploymentID, step sluice.StepID) string {
	parts := []string{strings.TrimRight(base, "/"), "callbacks", url.PathEscape(string(id))}
	for part := range strings.SplitSeq(string(step), "/") {
		parts = append(parts, url.PathEscape(part))
	}
	return strings.Join(append(parts, secrets.Callback(id, step)), "/")
}

type callbackBody struct {
	Success   *bool  `json:"success"`
	MDMessage string `json:"mdMessage"`
}

// ServeHTTP takes one callback.
func (c *Callbacks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, step, secret, ok := splitCallback(r.URL.EscapedPath())
	if !ok || !c.secrets.IsCallback(id, step, secret) {
		writeJSON(w, http.StatusNotFound, refusal{Code: sluice.NotFound, Message: "there is no callback at this address"})
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		writeJSON(w, http.StatusMethodNotAllowed, refusal{Code: sluice.Invalid, Message: "a callback is sent with POST"})
		return
	}
	// Only the first JSON value counts: receivers in the wild send line ends and more after it.
	var body callbackBody
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxCallback)).Decode(&body)
	if err != nil || body.Success == nil {
		writeError(w, sluice.Errorf(sluice.Invalid, "the callback does not say whether it was a success").
			WithHint(`send {"success": true, "mdMessage": "what happened"}`))
		return
	}
	status, answer := c.take(r.Context(), id, step, body)
	writeJSON(w, status, answer)
}

func (c *Callbacks) take(ctx context.Context, id sluice.DeploymentID, step sluice.StepID, b callbackBody) (int, any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if status, refusal := c.refuse(ctx, id, step); refusal != nil {
		return status, refusalOf(refusal)
	}
	err := c.engine.Signal(ctx, id, sluice.Signal{
		Kind: sluice.SignalCallback, Step: step, By: sluice.Actor{Name: "callback", Via: "callback"},
		Reason: b.MDMessage, Success: *b.Success,
	})
	if err != nil {
		return status.Of(sluice.ErrorCode(err)), refusalOf(err)
	}
	return http.StatusOK, struct {
		Accepted bool `json:"accepted"`
	}{true}
}

// refuse returns the reason why the step takes no callback now, nil if it takes one.
func (c *Callbacks) refuse(ctx context.Context, id sluice.DeploymentID, step sluice.StepID) (int, error) {
	state, err := engine.Fold(id, c.log.Read(ctx, id, 0))
	if err != nil {
		return status.Of(sluice.ErrorCode(err)), err
	}
	run := state.Steps[step]
	if run == nil {
		return http.StatusNotFound, sluice.Errorf(sluice.NotFound, "the deployment has no such step")
	}
	if slices.ContainsFunc(run.Progress.Signals, func(s sluice.Signal) bool { return s.Kind == sluice.SignalCallback }) {
		return http.StatusConflict, sluice.Errorf(sluice.Conflict, "this step was called back already")
	}
	wait := run.Progress.Wait
	late := run.Phase == engine.PhaseWaiting && wait != nil && !wait.Until.IsZero() && !c.now().Before(wait.Until)
	open := run.Phase == engine.PhaseStarting || run.Phase == engine.PhaseRunning || run.Phase == engine.PhaseWaiting
	if late || !open || state.Outcome != "" {
		return http.StatusGone, sluice.Errorf(sluice.Exhausted, "this step no longer waits for a callback")
	}
	return 0, nil
}

// splitCallback takes the path apart; parts are unescaped one by one, since they may hold escaped slashes.
func splitCallback(path string) (id sluice.DeploymentID, step sluice.StepID, secret string, ok bool) {
	rest, found := strings.CutPrefix(path, "/callbacks/")
	rest, ended := strings.CutSuffix(rest, "/callback")
	parts := strings.Split(rest, "/")
	if !found || !ended || len(parts) < 3 {
		return "", "", "", false
	}
	for i, p := range parts {
		part, err := url.PathUnescape(p)
		if err != nil {
			return "", "", "", false
		}
		parts[i] = part
	}
	last := len(parts) - 1
	return sluice.DeploymentID(parts[0]), sluice.StepID(strings.Join(parts[1:last], "/")), parts[last], true
}
