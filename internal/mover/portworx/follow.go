package portworx

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

// A follower follows one Migration to its end.
type follower struct {
	Options
	move   sluice.Move
	uid    string // an object of the same name with another one is not ours
	report func(sluice.Progress)

	last     sluice.Object
	state    state
	warnings []warning // since something moved last
}

// follow returns nil once everything was moved.
func (f *follower) follow(ctx context.Context, migration sluice.Object) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	account, ref := f.move.From.Account, migrationRef(f.move)
	changes := stream(ctx, account.Follow(ctx, ref))
	events := stream(ctx, account.Watch(ctx, "v1", "Event", ref.Namespace))
	idle, overall := time.NewTimer(f.Idle), time.NewTimer(f.Overall-age(migration))
	defer idle.Stop()
	defer overall.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-idle.C:
			return f.fail(fmt.Sprintf("nothing has moved for %s: %s", f.Idle, f.state.message))
		case <-overall.C:
			return f.fail(fmt.Sprintf("it has not ended within %s: %s", f.Overall, f.state.message))
		case c, ok := <-changes:
			moves, err := f.changed(ctx, c, ok)
			if err != nil || f.state.done {
				return err
			}
			if moves {
				idle.Reset(f.Idle)
			}
		case e, ok := <-events:
			if !ok || e.err != nil {
				events = nil // it can do without: the right to read events is dispensable
				continue
			}
			f.warned(e.object)
		}
	}
}

// age is how long ago Stork's cluster made the object, 0 if that is not known.
func age(o sluice.Object) time.Duration {
	made, err := time.Parse(time.RFC3339, o.Text("metadata", "creationTimestamp"))
	if err != nil {
		return 0
	}
	return max(0, time.Since(made))
}

// changed looks at the next state, and reports whether something moves.
func (f *follower) changed(ctx context.Context, c change, ok bool) (moves bool, err error) {
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case !ok:
		return false, sluice.Errorf(sluice.Unavailable, "the account %s stopped reporting changes", f.move.From.Name)
	case c.err != nil:
		return false, c.err
	}
	if uid := c.object.Text("metadata", "uid"); uid != "" && f.uid != "" && uid != f.uid {
		return false, f.fail("somebody replaced it")
	}
	before := f.state.mark
	f.last, f.state = c.object, judge(c.object, f.move)
	if f.state.failure != "" {
		return false, f.fail(f.state.failure)
	}
	if f.state.mark == before {
		return false, nil
	}
	f.warnings = nil
	f.say()
	return true, nil
}

// A warning is one text of Stork, and how often it came.
type warning struct {
	text  string
	times int
}

// warned keeps what Stork complains about, and shows it at once.
func (f *follower) warned(e sluice.Object) {
	if e.Text("involvedObject", "uid") != f.uid || e.Text("type") != "Warning" {
		return
	}
	w := warning{strings.TrimSpace(e.Text("message")), e.Number(1, "count")}
	f.warnings = slices.DeleteFunc(f.warnings, func(known warning) bool { return known.text == w.text })
	f.warnings = append(f.warnings, w)
	f.say()
}

func (f *follower) say() {
	message := "Stork moves " + strings.Join(f.move.Claims, ", ") + ": " + f.state.message + f.complaint()
	f.report(sluice.Progress{State: sluice.Running, Message: message, Amount: f.state.amount})
}

// complaint repeats Stork's warnings. It has no better words for bad input, which never fails a Migration.
func (f *follower) complaint() string {
	var all []string
	for _, w := range f.warnings {
		if w.times > 1 {
			w.text += fmt.Sprintf(" (%d times)", w.times)
		}
		all = append(all, w.text)
	}
	if len(all) == 0 {
		return ""
	}
	return "; Stork warns: " + strings.Join(all, "; ")
}

func (f *follower) fail(why string) error {
	text := why + f.complaint()
	if names := moved(f.last); len(names) > 0 {
		text += "; moved are the volumes " + strings.Join(names, ", ")
	}
	ref := migrationRef(f.move)
	return sluice.Errorf(sluice.Failed, "the Migration %s in %s of %s: %s", ref.Name, ref.Namespace, f.move.From.Name,
		text).WithHint("see what Stork says with: kubectl get events -n %s", ref.Namespace)
}
