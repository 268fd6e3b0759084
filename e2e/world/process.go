package world

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
)

// An Event is a line of sluice run -o json: one fact, or, with Targets, the outcome.
type Event struct {
	Deployment   sluice.DeploymentID
	sluice.Event `json:"event"`
	Targets      map[string]sluice.Status
	Ended        sluice.Status `json:"outcome"` // of the deployment, with Targets
}

// A Process is sluice run, or another command that prints events.
type Process struct {
	world *World
	cmd   *exec.Cmd
	began time.Time
	ended chan struct{} // closed when the process has ended and err is set
	err   error
	took  time.Duration

	mu        sync.Mutex
	events    []Event
	news      chan struct{} // closed and replaced at every event
	complaint bytes.Buffer
}

// A Result is how a process ended.
type Result struct {
	Status   int // of the process; -1 if it was killed
	Took     time.Duration
	Events   []Event
	Outcome  sluice.Status            // of the deployment
	Targets  map[string]sluice.Status // how each ended
	Failures map[sluice.StepID]sluice.Failure
	Err      string // standard error
}

// Start starts sluice with the arguments, and -o json.
func (w *World) Start(args ...string) *Process {
	w.Helper()
	p := &Process{world: w, cmd: exec.Command(program("sluice"), append(args, "-o", "json")...), began: time.Now(),
		ended: make(chan struct{}), news: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stderr = w.Dir, w.environ(), &p.complaint
	out, err := p.cmd.StdoutPipe()
	w.try(err)
	w.try(p.cmd.Start())
	w.Cleanup(p.Kill)
	go func() {
		defer close(p.ended)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			p.add(lines.Bytes())
		}
		p.err, p.took = p.cmd.Wait(), time.Since(p.began)
	}()
	return p
}

func (p *Process) add(line []byte) {
	var e Event
	if json.Unmarshal(line, &e) != nil {
		return // the line that was cut off by kill -9
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, e)
	close(p.news)
	p.news = make(chan struct{})
}

// Events returns the events so far, and a channel that is closed at the next one.
func (p *Process) Events() ([]Event, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.events), p.news
}

// Latest returns the number of the last event and the event itself.
func (p *Process) Latest() (sluice.Seq, string) {
	events, _ := p.Events()
	for _, e := range slices.Backward(events) {
		if e.Seq > 0 {
			return e.Seq, strings.TrimSpace(fmt.Sprintf("%s %s", e.Kind, e.Step))
		}
	}
	return 0, "nothing"
}

// Await waits at most five minutes until one of the process's events matches. Earlier events count.
func (p *Process) Await(is func(Event) bool) {
	p.world.Helper()
	limit := time.After(5 * time.Minute)
	for {
		events, news := p.Events()
		if slices.ContainsFunc(events, is) {
			return
		}
		select {
		case <-news:
		case <-p.ended:
			if events, _ := p.Events(); !slices.ContainsFunc(events, is) {
				p.world.Fatalf("the process ended before the awaited event\n%s", p.Wait().Story())
			}
		case <-limit:
			p.world.Fatal("an event did not come in time")
		}
	}
}

// Step selects the event of the kind for the step.
func Step(kind sluice.EventKind, id sluice.StepID) func(Event) bool {
	return func(e Event) bool { return e.Kind == kind && e.Step == id }
}

// Kind selects an event of the kind.
func Kind(kind sluice.EventKind) func(Event) bool {
	return func(e Event) bool { return e.Kind == kind }
}

// Kill is kill -9. It returns when the process has ended, which may have happened before.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Wait waits for the end of the process.
func (p *Process) Wait() Result {
	p.world.Helper()
	<-p.ended
	exit := new(exec.ExitError)
	if p.err != nil && !errors.As(p.err, &exit) {
		p.world.Fatal(p.err)
	}
	r := Result{
		Status: p.cmd.ProcessState.ExitCode(), Took: p.took, Events: p.events,
		Failures: map[sluice.StepID]sluice.Failure{}, Err: p.complaint.String(),
	}
	for _, e := range r.Events {
		if e.Failure != nil && e.Kind != sluice.StepRetrying {
			r.Failures[e.Step] = *e.Failure
		}
		if outcome := cmp.Or(e.Outcome, e.Ended); outcome != "" {
			r.Outcome = outcome
		}
		if e.Targets != nil {
			r.Targets = e.Targets
		}
	}
	if len(r.Events) == 0 && r.Status == 0 { // resumed after the end: the killed process recorded it, but did not print it
		r.Outcome = p.world.latest()
	}
	return r
}

// latest returns the outcome of the world's latest deployment, "" if none has ended.
func (w *World) latest() sluice.Status {
	w.Helper()
	cmd := exec.Command(program("sluice"), "status", "--output", "json")
	cmd.Dir = w.Dir
	out, err := cmd.Output()
	w.try(err)
	var list struct {
		Items []struct{ Status sluice.Status }
	}
	w.try(json.Unmarshal(out, &list))
	if len(list.Items) == 0 {
		return ""
	}
	return list.Items[0].Status
}

// Deployment returns the id of the deployment in the events.
func (r Result) Deployment() sluice.DeploymentID {
	if len(r.Events) == 0 {
		return ""
	}
	return r.Events[0].Deployment
}

// Story says what happened, one event a line.
func (r Result) Story() string {
	var b strings.Builder
	for _, e := range r.Events {
		if e.Targets != nil || e.Kind == sluice.StepFinishing || e.Kind == sluice.StepFinished {
			continue
		}
		b.WriteString(e.At.UTC().Format("15:04:05.000 ") + string(e.Kind) + " " + string(e.Step))
		if e.Progress != nil && e.Progress.Message != "" {
			b.WriteString(": " + e.Progress.Message)
		}
		if e.Failure != nil {
			b.WriteString(": " + e.Failure.Message)
			if e.Failure.Hint != "" {
				b.WriteString(" (" + e.Failure.Hint + ")")
			}
		}
		b.WriteString("\n")
	}
	return b.String() + r.Err
}

// Run runs deploy.yaml, which must succeed.
func (w *World) Run(args ...string) Result {
	w.Helper()
	return w.Ends(sluice.StatusSucceeded, w.Start(append([]string{"run", "-f", "deploy.yaml"}, args...)...))
}

// RollsBack waits for the end of the deployment, which must be undone.
func (w *World) RollsBack(p *Process) Result {
	w.Helper()
	return w.Ends(sluice.StatusRolledBack, p)
}

// Ends waits for the end of the deployment, which must have the outcome.
func (w *World) Ends(want sluice.Status, p *Process) Result {
	w.Helper()
	r := p.Wait()
	if r.Outcome != want {
		w.Fatalf("the deployment ended as %q, want %q; status %d\n%s", r.Outcome, want, r.Status, r.Story())
	}
	return r
}

// Sluice runs another command to its end and returns its output and exit status.
func (w *World) Sluice(args ...string) (out string, status int) {
	w.Helper()
	cmd := exec.Command(program("sluice"), args...)
	cmd.Dir, cmd.Env = w.Dir, w.environ()
	text, err := cmd.CombinedOutput()
	exit := new(exec.ExitError)
	if err != nil && !errors.As(err, &exit) {
		w.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// environ is the environment of sluice, nil for that of this process.
func (w *World) environ() []string {
	if len(w.Env) == 0 {
		return nil
	}
	return append(os.Environ(), w.Env...)
}

// Kubectl runs kubectl in the namespace; it must succeed.
func (w *World) Kubectl(args ...string) {
	w.Helper()
	flags := []string{"--kubeconfig=" + pair.Kubeconfig, "--context=" + w.Cluster.Name, "--namespace=" + w.Namespace}
	cmd := exec.CommandContext(w.Context(), program("kubectl"), append(flags, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		w.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
