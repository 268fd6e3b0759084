package pages

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/sluice-cd/sluice"
)

const (
	// mostEntries is how many entries of the audit log a page shows.
	mostEntries = 100
	// auditEvery is how often a stream looks for newer entries. Nothing announces them, and other servers record some.
	auditEvery = time.Second
)

// An auditRow is an entry of the audit log.
type auditRow struct {
	sluice.AuditEntry
	When When
	Sign Sign
	Link string // to the evidence
}

type auditView struct {
	Rows        []auditRow
	Application string
	Older       string
	IsLater     bool // not the newest entries
}

var auditPage = page{
	name: "audit", title: "Audit", live: true, fragments: []string{"audit-table"},
	load: func(v *visit) (*shown, error) {
		q := v.request.URL.Query()
		before, _ := strconv.ParseInt(q.Get("before"), 10, 64) // anything else begins at the newest
		view := auditView{Application: q.Get("application"), IsLater: before > 0}
		list, err := v.Server.Entries(v.ctx, v.caller, view.Application, before, mostEntries)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			view.Rows = append(view.Rows, auditRow{e, v.when(e.At), auditSign(e), evidenceLink(e)})
		}
		if len(list) == mostEntries {
			older := url.Values{"before": {fmt.Sprint(list[len(list)-1].Number)}}
			if view.Application != "" {
				older.Set("application", view.Application)
			}
			view.Older = "?" + older.Encode()
		}
		return &shown{
			Data: view, Kind: "AuditEntryList", Document: list, Version: newest(list), Over: view.IsLater,
		}, nil
	},
}

// newest is the number of the first entry, 0 without one.
func newest(list []sluice.AuditEntry) int64 {
	if len(list) == 0 {
		return 0
	}
	return list[0].Number
}

// An auditFollower draws its page again when the audit has a newer entry that the caller may see.
type auditFollower struct {
	v    *visit
	page page
}

func (f auditFollower) load() (*shown, error) { return f.page.load(f.v) }

func (f auditFollower) wait(ctx context.Context, version int64) error {
	application := f.v.request.URL.Query().Get("application")
	for {
		list, err := f.v.Server.Entries(f.v.ctx, f.v.caller, application, 0, 1)
		if err != nil || newest(list) > version {
			return err
		}
		if err := pause(ctx, auditEvery); err != nil {
			return err
		}
	}
}

func auditSign(e sluice.AuditEntry) Sign {
	if e.Allowed {
		return Sign{"●", "allowed", "good"}
	}
	return Sign{"✕", "forbidden", "bad"}
}

// evidenceLink leads to the step that was decided about, or to the deployment.
func evidenceLink(e sluice.AuditEntry) string {
	if e.Deployment == "" {
		return ""
	}
	at := "/deployments/" + url.PathEscape(string(e.Deployment))
	if e.Step != "" {
		at += "?step=" + url.QueryEscape(string(e.Step))
	}
	return at
}

func (p *Pages) audit(w http.ResponseWriter, r *http.Request) { p.show(w, r, auditPage) }
