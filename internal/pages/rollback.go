package pages

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/service"
)

// A rollbackView is what going back would do, before anybody presses the button.
type rollbackView struct {
	Application string
	Deployment  string // that is rolled back; "": the latest that brought anything
	Targets     []rollbackTarget
	Running     string // a deployment that still runs, or whose undo goes on
	Action      string
	Back        string
	Key         string // of the request, so that it is done once
}

// A rollbackTarget is what going back does in one target.
type rollbackTarget struct {
	Name    string
	Now     string
	Then    string // "": it is left alone
	ThenID  sluice.DeploymentID
	Reason  string
	Gone    []string
	Data    []string // what that means for the data
	Changes []sluice.Change
}

var rollbackPage = page{
	name: "rollback", fragments: []string{"rollback-sheet"},
	load: func(v *visit) (*shown, error) {
		r := v.request
		q := service.RollbackRequest{Deployment: r.PathValue("id")}
		view := rollbackView{Deployment: q.Deployment, Action: r.URL.Path, Key: "page-" + rand.Text()}
		view.Back = view.Action[:strings.LastIndex(view.Action, "/")]
		if name := r.PathValue("name"); name != "" {
			latest, err := v.latestOf(name)
			if err != nil {
				return nil, err
			}
			q.Deployment = string(latest)
		}
		plan, _, err := v.Server.PlanRollback(v.ctx, v.caller, q)
		if err != nil {
			return nil, err
		}
		view.Application = plan.Application
		for _, running := range []*sluice.Deployment{plan.Running, plan.Unfinished} {
			if running != nil {
				view.Running = string(running.ID)
			}
		}
		for _, t := range plan.Targets {
			view.Targets = append(view.Targets, rollbackTargetOf(t))
		}
		return &shown{Title: "Go back: " + plan.Application, Data: view, Kind: "Rollback", Document: view.document()}, nil
	},
}

// latestOf returns the newest deployment that a target of the application runs, or that has not ended.
func (v *visit) latestOf(name string) (sluice.DeploymentID, error) {
	var version int64
	for a := range v.index.each(&version) {
		if a.name != name {
			continue
		}
		for _, r := range a.runs {
			for _, p := range r.parts {
				if p.brought || r.ended.IsZero() {
					return r.id, nil
				}
			}
		}
	}
	return "", sluice.Errorf(sluice.NotFound, "no target runs a release of an application %q", name).
		WithHint("see the applications: /")
}

func (v rollbackView) document() any {
	return struct {
		Application string           `json:"application"`
		Running     string           `json:"running,omitempty"`
		Targets     []rollbackTarget `json:"targets"`
	}{v.Application, v.Running, append([]rollbackTarget{}, v.Targets...)}
}

func rollbackTargetOf(t service.TargetRollback) rollbackTarget {
	r := rollbackTarget{Name: t.Target, Reason: t.Reason}
	if t.Now.Plan != nil {
		r.Now = release(t.Now.Deployment, t.Now.Plan, t.Target)
	}
	if t.Back == nil {
		return r
	}
	r.Then, r.ThenID = release(t.Back.Deployment, t.Back.Plan, t.Target), t.Back.Deployment
	for _, gone := range t.Gone {
		r.Gone = append(r.Gone, gone.String())
	}
	for _, d := range compare(t.Now.Plan, t.Back.Plan) {
		if d.Target == t.Target {
			r.Changes = d.Changes
		}
	}
	r.Data = dataOf(t)
	return r
}

// dataOf says what going back means for the data of the target.
func dataOf(t service.TargetRollback) []string {
	if !t.HasData {
		return []string{"The release did not touch data, and going back does not either."}
	}
	says := []string{"The data stays as it is, with everything that was written since."}
	for _, c := range t.Choices {
		says = append(says, fmt.Sprintf(
			"The data before this release is kept in checkpoint %s; to put it back too, type: sluice rollback %s --data %s",
			c.ID, t.Now.Deployment, c.ID))
	}
	return says
}

func (p *Pages) rollbackSheet(w http.ResponseWriter, r *http.Request) { p.show(w, r, rollbackPage) }

// rollBack takes the application back from its latest release.
func (p *Pages) rollBack(w http.ResponseWriter, r *http.Request) {
	v, err := p.visit(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, mostForm)
	id, err := v.startRollback(r.PathValue("name"))
	if err != nil {
		v.refuse(w, err, applicationPage)
		return
	}
	http.Redirect(w, r, "/deployments/"+url.PathEscape(string(id)), http.StatusSeeOther)
}

func (v *visit) startRollback(name string) (sluice.DeploymentID, error) {
	if err := v.request.ParseForm(); err != nil {
		return "", sluice.Errorf(sluice.Invalid, "the form cannot be read: %w", err)
	}
	id, err := v.latestOf(name)
	if err != nil {
		return "", err
	}
	if chosen := v.request.PostForm.Get("deployment"); chosen != "" {
		id = sluice.DeploymentID(chosen)
	}
	return v.rollBack(string(id))
}

// rollBack goes back from a deployment as the form of the sheet says. Each sheet begins it once.
func (v *visit) rollBack(deployment string) (sluice.DeploymentID, error) {
	form := v.request.PostForm
	q := service.RollbackRequest{Deployment: deployment, Reason: form.Get("reason")}
	started, err := v.Server.Rollback(v.ctx, v.caller, q, form.Get("key"))
	return started.ID, err
}
