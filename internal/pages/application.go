package pages

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/history"
	"github.com/sluice-cd/sluice/internal/present"
)

// mostDeployments is how many deployments a page of the history shows.
const mostDeployments = 25

// An applicationView is the history of an application.
type applicationView struct {
	Name    string
	Targets []string
	Rows    []historyRow
	Older   string // the address of what came before, "" if that is all
	Cells   []overviewCell
	From    sluice.DeploymentID // to compare
	To      sluice.DeploymentID
	Diffs   []releaseDiff
	MayBack bool
}

// A historyRow is a deployment of the application.
type historyRow struct {
	ID      sluice.DeploymentID
	Release string
	By      string
	Started When
	Took    Length
	Sign    Sign
	Cells   []targetCell
	BackIn  []string // the targets that going back returns to it
	Kind    string   // "rollback" if it returned targets to an earlier release
	Actions []sheet
}

// A targetCell is how a deployment ended in a target.
type targetCell struct {
	Target  string
	Sign    Sign
	Present bool
	Runs    bool
}

var applicationPage = page{
	name: "application", live: true, fragments: []string{"application-now", "application-history", "application-diff"},
	load: func(v *visit) (*shown, error) { return v.showApplication(v.request.PathValue("name")) },
}

func (p *Pages) application(w http.ResponseWriter, r *http.Request) { p.show(w, r, applicationPage) }

func (v *visit) showApplication(name string) (*shown, error) {
	view := applicationView{Name: name, MayBack: v.caller.May(access.RollBack, name, "")}
	version := v.now(&view)
	list, err := v.store.Deployments(v.ctx, name)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, sluice.Errorf(sluice.NotFound, "nothing was deployed of an application %q", name).
			WithHint("see the applications: /")
	}
	states, err := v.pageOfHistory(&view, list)
	if err != nil {
		return nil, err
	}
	past := pastOf(states)
	for i, s := range states {
		r := v.historyRow(&view, s, past)
		if len(r.BackIn) > 0 && view.MayBack {
			to := "/applications/" + url.PathEscape(name) + "/rollback"
			r.Actions = append(r.Actions, sheet{Label: "Go back to this", Href: to})
		}
		if i == 0 && list[0].ID == s.ID {
			r.Actions = append(r.Actions, v.againIfFailed(s)...)
		}
		view.Rows = append(view.Rows, r)
	}
	if err := v.compareChosen(&view); err != nil {
		return nil, err
	}
	documents := make([]present.Deployment, len(states))
	for i, s := range states {
		documents[i] = present.DeploymentOf(s, false)
	}
	return &shown{Title: name, Data: view, Kind: "DeploymentList", Document: documents, Version: version}, nil
}

// now takes how the application stands from the index, and returns the index's version of it.
func (v *visit) now(view *applicationView) (version int64) {
	var all int64
	for a := range v.index.each(&all) {
		if a.name != view.Name {
			continue
		}
		version = a.version
		if row, ok := v.row(a); ok {
			row.arrange(nil)
			view.Cells = row.Cells
		}
	}
	for _, c := range view.Cells {
		view.Targets = append(view.Targets, c.Target)
	}
	return version
}

// pageOfHistory folds the deployments that the page shows.
func (v *visit) pageOfHistory(view *applicationView, list []sluice.Deployment) ([]*engine.State, error) {
	if before := sluice.DeploymentID(v.request.URL.Query().Get("before")); before != "" {
		list = slices.DeleteFunc(list, func(d sluice.Deployment) bool { return d.ID >= before })
	}
	if len(list) > mostDeployments {
		list = list[:mostDeployments]
		view.Older = "?before=" + url.QueryEscape(string(list[mostDeployments-1].ID))
	}
	var states []*engine.State
	for _, d := range list {
		s, err := engine.Fold(d.ID, v.store.Read(v.ctx, d.ID, 0))
		if err != nil {
			return nil, err
		}
		states = append(states, s)
	}
	return states, nil
}

func (v *visit) historyRow(view *applicationView, s *engine.State, past past) historyRow {
	r := historyRow{
		ID: s.ID, Release: release(s.ID, s.Plan, ""), By: s.StartedBy.Name, Started: v.when(s.StartedAt),
		Took: v.took(s.StartedAt, s.EndedAt), Sign: signOf(s.Status()),
	}
	for _, t := range s.Plan.Targets {
		if t.Release != "" {
			r.Kind = "rollback"
		}
	}
	for _, c := range view.Cells {
		_, ok := s.Plan.Target(c.Target)
		r.Cells = append(r.Cells, targetCell{c.Target, signOf(s.Target(c.Target)), ok, past.runs[c.Target] == s.ID})
		if past.back[c.Target] == s.ID {
			r.BackIn = append(r.BackIn, c.Target)
		}
	}
	return r
}

// againIfFailed is the sheet that deploys the newest deployment again, if it did not succeed.
func (v *visit) againIfFailed(s *engine.State) []sheet {
	retryable := s.Outcome != "" && s.Outcome != sluice.StatusSucceeded && !s.CanReopen() && s.Plan.Rehearsal == nil
	if !retryable || !v.mayAnywhere(access.Deploy, s.Plan) {
		return nil
	}
	return []sheet{{Label: "Deploy again", Href: "/deployments/" + url.PathEscape(string(s.ID))}}
}

// A past names, by target, the deployments whose releases the targets run, and those that going
// back returns them to.
type past struct {
	runs, back map[string]sluice.DeploymentID
}

// pastOf reads that from the newest deployments of an application. While one runs, going back undoes it.
func pastOf(states []*engine.State) past {
	p := past{map[string]sluice.DeploymentID{}, map[string]sluice.DeploymentID{}}
	h, isRunning := &history.History{}, false
	for _, s := range states {
		if s.Plan.Rehearsal == nil {
			h.Add(s)
			isRunning = isRunning || s.Outcome == ""
		}
	}
	for _, target := range h.Targets() {
		now, _ := h.Current(target)
		p.runs[target] = now.Deployment
		if before, ok := h.Before(target); ok && !isRunning {
			p.back[target] = before.Deployment
		}
	}
	return p
}

// compareChosen compares the two deployments that the address names.
func (v *visit) compareChosen(view *applicationView) error {
	q := v.request.URL.Query()
	view.From, view.To = sluice.DeploymentID(q.Get("from")), sluice.DeploymentID(q.Get("to"))
	if view.From == "" || view.To == "" {
		return nil
	}
	var plans [2]*sluice.Plan
	for i, id := range []sluice.DeploymentID{view.From, view.To} {
		for e, err := range v.store.Read(v.ctx, id, 0) {
			if err != nil {
				return err
			}
			plans[i] = e.Plan
			break
		}
		if plans[i] == nil || plans[i].Application != view.Name {
			return sluice.Errorf(sluice.NotFound, "there is no deployment %s of %s", id, view.Name).
				WithHint("choose two of its history: /applications/%s", url.PathEscape(view.Name))
		}
	}
	view.Diffs = compare(plans[0], plans[1])
	return nil
}

// Same reports whether the two deployments bring the same objects.
func (a applicationView) Same() bool {
	return !slices.ContainsFunc(a.Diffs, func(d releaseDiff) bool { return len(d.Changes) > 0 })
}

// Chosen reports whether a deployment is one side of the comparison; the newest two are proposed.
func (a applicationView) Chosen(side string, i int, id sluice.DeploymentID) bool {
	if a.From != "" && a.To != "" {
		return side == "from" && id == a.From || side == "to" && id == a.To
	}
	return side == "from" && i == 1 || side == "to" && i == 0
}

// Count says how many objects of a target differ.
func (d releaseDiff) Count() string { return fmt.Sprint(len(d.Changes)) }
