package pages

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
)

// An overviewRow is how an application stands in the targets that the caller may view.
type overviewRow struct {
	Application string              `json:"application"`
	Cells       []overviewCell      `json:"targets"`
	Last        sluice.DeploymentID `json:"last"`
	Release     string              `json:"release"`
	By          string              `json:"startedBy"`
	Status      sluice.Status       `json:"status"`
	Waits       bool                `json:"waitsForYou"` // a step waits for a decision that the caller may take

	rank int
}

// An overviewCell is how an application stands in one target.
type overviewCell struct {
	Target     string              `json:"target"`
	Deployment sluice.DeploymentID `json:"deployment"`
	Release    string              `json:"release"`
	Status     sluice.Status       `json:"status"`
	Since      When                `json:"since"`
	Weight     int                 `json:"-"`
	Runs       string              `json:"runs,omitempty"` // the release that it runs, if that is another one
	WaitsFor   string              `json:"waitsFor,omitempty"`
	Step       sluice.StepID       `json:"step,omitempty"` // that waits
}

// Sign is the sign of the cell.
func (c overviewCell) Sign() Sign { return signOf(c.Status) }

// Half reports whether a new version gets only a part of the traffic.
func (c overviewCell) Half() bool {
	return c.Weight >= 0 && c.Weight < 100 && c.Status != sluice.StatusSucceeded && c.Status != sluice.StatusRolledBack
}

type overview struct {
	Rows    []overviewRow
	Columns []string // the targets; none if there are too many for columns
}

// mostColumns is how many targets stand side by side. More are listed in the row of their application.
const mostColumns = 4

var overviewPage = page{
	name: "overview", title: "Overview", fragments: []string{"overview-table"}, live: true,
	load: func(v *visit) (*shown, error) {
		o := overview{}
		var version int64
		for a := range v.index.each(&version) {
			if row, ok := v.row(a); ok {
				o.Rows = append(o.Rows, row)
			}
		}
		slices.SortFunc(o.Rows, func(a, b overviewRow) int {
			return cmp.Or(a.rank-b.rank, strings.Compare(a.Application, b.Application))
		})
		o.Columns = columns(o.Rows)
		for i := range o.Rows {
			o.Rows[i].arrange(o.Columns)
		}
		return &shown{Data: o, Kind: "Overview", Document: o.documents(), Version: version}, nil
	},
}

func (o overview) documents() []overviewRow {
	rows := make([]overviewRow, len(o.Rows))
	for i, r := range o.Rows {
		rows[i] = r
		rows[i].Cells = slices.DeleteFunc(slices.Clone(r.Cells), func(c overviewCell) bool { return c.Deployment == "" })
	}
	return rows
}

// row answers for one application; false: the caller may not view it.
func (v *visit) row(a *application) (overviewRow, bool) {
	last := a.runs[0]
	row := overviewRow{Application: a.name, Last: last.id, By: last.by, Status: last.status, rank: 3}
	for _, r := range a.runs {
		for _, p := range r.parts {
			if v.caller.May(access.View, a.name, p.target) {
				v.addPart(&row, r, p)
			}
		}
	}
	row.Cells = slices.DeleteFunc(row.Cells, func(c overviewCell) bool { return c.Deployment == "" && c.Runs == "" })
	for _, p := range last.parts {
		row.Release = cmp.Or(row.Release, p.release)
	}
	for _, c := range row.Cells {
		row.rank = min(row.rank, rankOf(c.Status))
	}
	if row.Waits {
		row.rank = 0
	}
	visible := len(row.Cells) > 0 || v.caller.May(access.View, a.name, "")
	return row, visible
}

// addPart takes what a deployment says of a target, unless a newer one has said it.
func (v *visit) addPart(row *overviewRow, r *indexed, p part) {
	i := slices.IndexFunc(row.Cells, func(c overviewCell) bool { return c.Target == p.target })
	if i < 0 {
		i = len(row.Cells)
		row.Cells = append(row.Cells, overviewCell{Target: p.target, Status: p.status, Weight: -1})
	}
	c := &row.Cells[i]
	if c.Deployment == "" && p.isReached() {
		c.Deployment, c.Release, c.Status, c.Since = r.id, p.release, p.status, v.when(p.since)
		c.Weight = p.weight
		for _, w := range p.waits {
			if mine := v.mayDecide(row.Application, p.target, w); mine || c.WaitsFor == "" {
				c.WaitsFor, c.Step, row.Waits = w.what, w.step, row.Waits || mine
			}
		}
	}
	if p.brought && c.Runs == "" {
		c.Runs = p.release
	}
}

// mayDecide reports whether the caller may end the wait.
func (v *visit) mayDecide(application, target string, w waiting) bool {
	if w.kind == "" || !v.caller.May(access.Approve, application, target) {
		return false
	}
	return len(w.roles) == 0 || v.claims() || slices.ContainsFunc(v.caller.Actor.Roles, func(role string) bool {
		return slices.Contains(w.roles, role)
	})
}

// rankOf says how early a target in the state stands in the table.
func rankOf(s sluice.Status) int {
	switch s {
	case sluice.StatusFailed, sluice.StatusRolledBack, sluice.StatusRollingBack:
		return 1
	case sluice.StatusRunning, sluice.StatusWaiting, sluice.StatusPaused:
		return 2
	}
	return 3
}

// columns returns the targets of all rows, those first that come first in their applications.
func columns(rows []overviewRow) []string {
	at := map[string]int{}
	for _, r := range rows {
		for i, c := range r.Cells {
			at[c.Target] = max(at[c.Target], i)
		}
	}
	var names []string
	for name := range at {
		names = append(names, name)
	}
	if len(names) > mostColumns {
		return nil
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(at[a]-at[b], strings.Compare(a, b)) })
	return names
}

// arrange gives the row one cell for each column.
func (r *overviewRow) arrange(columns []string) {
	for i, c := range r.Cells {
		if c.Runs == c.Release {
			r.Cells[i].Runs = ""
		}
	}
	if columns == nil {
		return
	}
	cells := make([]overviewCell, len(columns))
	for i, name := range columns {
		cells[i].Target = name
		if at := slices.IndexFunc(r.Cells, func(c overviewCell) bool { return c.Target == name }); at >= 0 {
			cells[i] = r.Cells[at]
		}
	}
	r.Cells = cells
}

func (p *Pages) overview(w http.ResponseWriter, r *http.Request) { p.show(w, r, overviewPage) }
