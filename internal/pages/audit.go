package pages

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/sluice-cd/sluice"
)

// mostEntries is how many entries of the audit log a page shows.
const mostEntries = 100

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
	name: "audit", title: "Audit", fragments: []string{"audit-table"},
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
		return &shown{Data: view, Kind: "AuditEntryList", Document: list}, nil
	},
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
