package identity

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
)

// What callers do to prove who they are. The audit names it beside the verbs of roles.
const (
	logIn        = "logIn"        // in a browser
	logOut       = "logOut"       // in a browser
	authenticate = "authenticate" // by a token; only refusals are recorded
)

const (
	maxAudited     = 300 // characters of each text that others chose
	auditPatience  = 5 * time.Second
	refusalsAtOnce = 20 // from one address
)

// Anybody can cause refusals, so the audit takes this many and counts the rest. Without a pause that is about
// 8,700 entries a day, of at most 2 KiB each.
var (
	refusals    = pace{refusalsAtOnce, time.Minute}
	allRefusals = pace{200, 10 * time.Second}
)

// Refusals records that callers were refused. It is safe for concurrent use.
type Refusals struct {
	log        sluice.Audit
	now        func() time.Time
	limits     *limits
	unrecorded atomic.Int64 // refusals since the last one that was recorded
}

// NewRefusals returns a recorder of refusals with limits of its own.
func NewRefusals(log sluice.Audit, now func() time.Time) *Refusals {
	return &Refusals{log: log, now: now, limits: newLimits(now, refusals, allRefusals)}
}

// An auditor records who proved who they are, and who could not.
type auditor struct{ *Refusals }

func newAuditor(log sluice.Audit, now func() time.Time) *auditor {
	return &auditor{NewRefusals(log, now)}
}

// admit records that the caller did this.
func (a *auditor) admit(ctx context.Context, verb string, by sluice.Actor) error {
	err := a.log.Record(ctx, sluice.AuditEntry{At: a.now(), By: bounded(by), Verb: verb, Allowed: true})
	if err != nil {
		return sluice.Errorf(sluice.ErrorCode(err), "the audit cannot be written, so nothing was done: %w", err)
	}
	return nil
}

func (a *auditor) refuse(ctx context.Context, verb string, by sluice.Actor, why error) {
	a.Record(ctx, sluice.AuditEntry{By: by, Verb: verb}, why)
}

// Record adds the entry with why its caller was refused, unless there were too many refusals. A caller who leaves early
// is recorded too. If the audit cannot be written, the caller is refused all the same.
func (a *Refusals) Record(ctx context.Context, e sluice.AuditEntry, why error) {
	if !a.limits.allow(e.By.From) {
		a.unrecorded.Add(1)
		return
	}
	reason := cut(why.Error())
	missing := a.unrecorded.Swap(0)
	if missing > 0 {
		reason += fmt.Sprintf("; %d refusals before this one are not recorded: there were too many", missing)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditPatience)
	defer cancel()
	e.At, e.By, e.Reason = a.now(), bounded(e.By), reason
	if a.log.Record(ctx, e) != nil {
		a.unrecorded.Add(missing + 1)
	}
}

// actor returns the person of a session, whose name is "" if nobody was proven.
func (a *Authenticator) actor(r *http.Request, s access.Subject) sluice.Actor {
	var by sluice.Actor
	if s.ID != "" {
		by = a.policy().Caller(s).Actor
	}
	by.Via, by.From = "page", a.from(r)
	return by
}

func bounded(by sluice.Actor) sluice.Actor {
	by.Name, by.Identity = cut(by.Name), cut(by.Identity)
	return by
}

// cut returns the beginning of a text, in valid UTF-8.
func cut(text string) string {
	text = strings.ToValidUTF8(text, "�")
	for n := range text {
		if n > maxAudited {
			return text[:n] + "…"
		}
	}
	return text
}
