package pages

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/plan"
	"github.com/sluice-cd/sluice/internal/status"
)

// A sheet says what a button does before it is pressed, and asks for a reason.
type sheet struct {
	ID     string   // of its element
	Label  string   // of what opens it
	Title  string   // what it does, in a sentence
	Says   []string // what else follows
	Action string   // where the form goes; "" if the sheet is a page of its own, at Href
	Href   string
	Step   sluice.StepID
	Target string
	Press  string // on the button
	Class  string // good, bad or ""
	Denied string // why the caller cannot press it
}

// actions are what the caller may do with the deployment now.
func (v *visit) actions(s *engine.State) (list []sheet) {
	at := "/deployments/" + url.PathEscape(string(s.ID))
	if s.Outcome != "" {
		return v.actionsAfter(s, at)
	}
	for _, id := range s.Started {
		if decidable(s.Steps[id]) != "" {
			list = append(list, v.decisions(s, s.Steps[id], at)...)
		}
	}
	if len(list) > 2 { // several steps wait: each button says which one it is for
		for i := range list {
			list[i].Label += " " + list[i].Step.Target()
		}
	}
	if v.mayAnywhere(access.Cancel, s.Plan) && !s.Queued && s.Halt == nil {
		list = append(list, pausing(s, at)...)
	}
	if s.Halt != nil {
		return list
	}
	if v.mayAnywhere(access.RollBack, s.Plan) && !s.Queued {
		list = append(list, undoing(s, at))
	}
	if v.mayAnywhere(access.Cancel, s.Plan) {
		list = append(list, cancelling(s, at))
	}
	return list
}

// decisions are the sheets of a step that waits for a person.
func (v *visit) decisions(s *engine.State, run *engine.StepRun, at string) []sheet {
	id, title := run.Plan.ID, plan.Title(run.Plan)
	denied := v.whyNot(s.Plan.Application, run)
	yes := sheet{
		ID: "approve-" + string(id), Label: "Approve", Action: at + "/approve", Step: id, Class: "good",
		Title:  fmt.Sprintf("Lets %q of %s go on. Next: %s.", title, run.Plan.Target, strings.Join(next(s, run), ", ")),
		Press:  "Approve",
		Denied: denied,
	}
	if decidable(run) == sluice.SignalRollForward {
		yes.Label, yes.Press = "Go on now", "Go on now"
		yes.Title = fmt.Sprintf("Ends the wait of %q in %s early.", title, run.Plan.Target)
	}
	list := []sheet{yes}
	if slices.Contains(run.Progress.Wait.Signals, sluice.SignalReject) {
		list = append(list, sheet{
			ID: "reject-" + string(id), Label: "Reject", Action: at + "/reject", Step: id, Class: "bad", Press: "Reject",
			Title: fmt.Sprintf("Fails %q. %s", title, afterFailure(s, run)), Says: losses(s, run.Plan.Target),
			Denied: denied,
		})
	}
	return list
}

// whyNot says why the caller cannot decide about the step, "" if nothing is in the way.
func (v *visit) whyNot(application string, run *engine.StepRun) string {
	if err := v.caller.Need(access.Approve, application, run.Plan.Target); err != nil {
		return err.Error()
	}
	roles := run.Progress.Wait.Roles
	has := func(role string) bool { return slices.Contains(roles, role) }
	if len(roles) == 0 || v.claims() || slices.ContainsFunc(v.caller.Actor.Roles, has) {
		return ""
	}
	return "it takes the role " + strings.Join(roles, " or ")
}

// next says what begins after the step.
func next(s *engine.State, run *engine.StepRun) []string {
	for _, p := range s.Plan.Steps {
		if slices.Contains(p.After, run.Plan.ID) && p.Phase != sluice.PhaseOnRollback {
			return []string{plan.Describe(p)}
		}
	}
	return []string{"nothing: it is the last step of " + run.Plan.Target}
}

func afterFailure(s *engine.State, run *engine.StepRun) string {
	t, _ := s.Plan.Target(run.Plan.Target)
	if run.Plan.Phase == sluice.PhaseAfter && t.AfterFailure != "rollBack" {
		return "What was deployed to " + t.Name + " stays, as the deploy file says."
	}
	return "What was done in " + t.Name + " is undone."
}

// losses says what undoing a target means for its data.
func losses(s *engine.State, target string) []string {
	var says []string
	t, _ := s.Plan.Target(target)
	for _, sentence := range t.Irreversible {
		says = append(says, target+": "+sentence+".")
	}
	if class, ok := classes[t.RollbackClass]; ok {
		says = append(says, target+": "+class)
	}
	return says
}

// classes say what the rollback classes mean.
var classes = map[string]string{
	"":  "the data is not touched.",
	"A": "the data stays as it is.",
	"B": "data that was copied there is put back as it was.",
	"C": "data is put back from a checkpoint; what was written since is kept aside.",
}

func pausing(s *engine.State, at string) []sheet {
	for _, t := range s.Plan.Targets {
		if s.Paused(t.Name) != nil {
			return []sheet{{
				ID: "continue", Label: "Continue", Action: at + "/continue", Press: "Continue",
				Title: "Lets the steps of all paused targets begin again.",
			}}
		}
	}
	return []sheet{{
		ID: "pause", Label: "Pause", Action: at + "/pause", Press: "Pause",
		Title: "Begins no further step until a person continues. Steps that have begun go on to their end.",
	}}
}

func undoing(s *engine.State, at string) sheet {
	return sheet{
		ID: "rollback", Label: "Go back", Action: at + "/rollback", Press: "Go back", Class: "bad",
		Title: "Undoes this deployment in: " + strings.Join(unfinished(s), ", ") +
			". Each target then runs what it ran before.",
		Says: lossesOf(s),
	}
}

func cancelling(s *engine.State, at string) sheet {
	title := "Stops this deployment and undoes what it did. Data steps for a rollback do not run: data stays as it is."
	if s.Queued {
		title = "Ends this deployment before it begins. It has changed nothing."
	}
	return sheet{ID: "cancel", Label: "Cancel", Action: at + "/cancel", Press: "Cancel the deployment", Title: title}
}

// unfinished are the targets that an undo acts on.
func unfinished(s *engine.State) []string {
	var names []string
	for _, t := range ordered(s.Plan) {
		if status := s.Target(t.Name); status != sluice.StatusSucceeded && status != sluice.StatusPending {
			names = append(names, t.Name)
		}
	}
	if len(names) == 0 {
		return []string{"no target, because none has begun"}
	}
	return names
}

func lossesOf(s *engine.State) (says []string) {
	for _, name := range unfinished(s) {
		if _, ok := s.Plan.Target(name); ok {
			says = append(says, losses(s, name)...)
		}
	}
	return says
}

// actionsAfter are what the caller may do with a deployment that has ended.
func (v *visit) actionsAfter(s *engine.State, at string) (list []sheet) {
	if s.Plan.Rehearsal != nil || s.Outcome == sluice.StatusOvertaken {
		return nil
	}
	left := slices.ContainsFunc(s.Plan.Targets, func(t sluice.PlannedTarget) bool { return partOf(s, t.Name).brought })
	if (left || s.CanReopen()) && v.mayAnywhere(access.RollBack, s.Plan) {
		list = append(list, sheet{ID: "rollback", Label: "Go back", Href: at + "/rollback", Class: "bad"})
	}
	if s.Outcome != sluice.StatusSucceeded && !s.CanReopen() && v.mayAnywhere(access.Deploy, s.Plan) {
		list = append(list, again(s, at))
	}
	return list
}

// again is the sheet that deploys the same plan once more.
func again(s *engine.State, at string) sheet {
	var targets []string
	for _, t := range ordered(s.Plan) {
		targets = append(targets, t.Name)
	}
	return sheet{
		ID: "retry", Label: "Deploy again", Action: at + "/retry", Press: "Deploy again",
		Title: fmt.Sprintf("Starts a new deployment of the same plan, %d steps, to %s. Every gate is passed anew.",
			len(s.Plan.Steps), strings.Join(targets, ", ")),
	}
}

// kinds are the signals that the actions of a deployment send.
var kinds = map[string]string{
	"approve": sluice.SignalApprove, "reject": sluice.SignalReject, "cancel": sluice.SignalCancel,
	"pause": sluice.SignalPause, "continue": sluice.SignalContinue, "rollback": sluice.SignalRollBack,
}

// mostForm bounds a form: a reason and a few names.
const mostForm = 64 << 10

// act does what a sheet of a deployment asks, and goes back to its page.
func (p *Pages) act(w http.ResponseWriter, r *http.Request) {
	v, err := p.visit(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, mostForm)
	id := sluice.DeploymentID(r.PathValue("id"))
	to, err := v.do(r.PathValue("action"), id)
	if err != nil {
		v.refuse(w, err, deploymentPage)
		return
	}
	http.Redirect(w, r, "/deployments/"+url.PathEscape(string(to)), http.StatusSeeOther)
}

// refuse shows the page that was acted on with the reason why nothing was done.
func (v *visit) refuse(w http.ResponseWriter, err error, on page) {
	if isJSON(v.request.Header.Get("Accept")) {
		v.fail(w, v.request, err)
		return
	}
	v.refused = err
	w.Header().Set("Cache-Control", "no-store")
	v.html(w, on, status.Of(sluice.ErrorCode(err)))
}

// do does the action and returns the deployment to show.
func (v *visit) do(action string, id sluice.DeploymentID) (sluice.DeploymentID, error) {
	if err := v.request.ParseForm(); err != nil {
		return id, sluice.Errorf(sluice.Invalid, "the form cannot be read: %w", err)
	}
	kind, isSignal := kinds[action]
	if !isSignal && action != "retry" {
		return id, sluice.Errorf(sluice.NotFound, "a deployment has no action %q", action).
			WithHint("use the buttons of the page")
	}
	d, err := v.readDeployment(id)
	switch {
	case err != nil:
		return id, err
	case action == "retry":
		started, err := v.Server.Retry(v.ctx, v.caller, id, "page-retry-"+string(id))
		return started.ID, err
	case action == "rollback" && d.state.Outcome != "":
		return v.rollBack(string(id))
	}
	form := v.request.PostForm
	sig := sluice.Signal{
		Kind: kind, Step: sluice.StepID(form.Get("step")), Target: form.Get("target"), Reason: form.Get("reason"),
	}
	if run := d.state.Steps[sig.Step]; kind == sluice.SignalApprove && run != nil {
		if decidable(run) == sluice.SignalRollForward {
			sig.Kind = sluice.SignalRollForward
		}
	}
	if run := d.state.Steps[sig.Step]; run != nil && run.Progress.Wait != nil && v.claims() {
		sig.By.Roles = run.Progress.Wait.Roles
	}
	return id, v.Server.Signal(v.ctx, v.caller, id, sig)
}

// claims reports whether the server proves nobody's identity: then a person decides in the role that a step takes, as
// on the command line.
func (v *visit) claims() bool { return v.caller.Actor.Identity == "" }

// backToDeployment answers a reload after something was refused.
func (p *Pages) backToDeployment(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/deployments/"+url.PathEscape(r.PathValue("id")), http.StatusSeeOther)
}
