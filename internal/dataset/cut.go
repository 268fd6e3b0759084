package dataset

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
)

// afterwards bounds the quiesce.after commands, which run even if everything else was cancelled.
const afterwards = 30 * time.Second

// cut copies all claims at one instant, between the quiesce commands if there are any. A stopped workload needs none,
// and has no pod to run them in.
func (r Request) cut(ctx context.Context) (cut sluice.Cut, err error) {
	r.say("cutting " + r.Spec.Name + " of " + r.Target)
	if r.Stopped == nil && len(r.Spec.Quiesce.Before)+len(r.Spec.Quiesce.After) > 0 {
		defer func() {
			// also if ctx has ended: nothing else would resume the source
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
			defer cancel()
			if after := r.run(ctx, r.Spec.Quiesce.After); err == nil {
				err = after
			}
		}()
		if err := r.run(ctx, r.Spec.Quiesce.Before); err != nil {
			return cut, err
		}
	}
	return r.Place.Account.Volumes.Cut(ctx, r.Place.Namespace, r.Spec.Claims, r.generation(), lease)
}

// resume resumes a source that a crash left quiesced. A source without a workload is stopped for another reason.
func (r Request) resume(ctx context.Context) error {
	if len(r.Spec.Quiesce.After) == 0 {
		return nil
	}
	workload, err := r.Workload(ctx)
	if err != nil || workload == nil {
		return err
	}
	return r.run(ctx, r.Spec.Quiesce.After)
}

// run runs the commands in every pod of the workload.
func (r Request) run(ctx context.Context, commands [][]string) error {
	if len(commands) == 0 {
		return nil
	}
	pods, err := r.Place.Account.Pods(ctx, r.Place.Namespace)
	if err != nil {
		return err
	}
	pods = slices.DeleteFunc(pods, func(p sluice.Pod) bool { return p.Owner != r.Spec.Workload })
	if len(pods) == 0 {
		return sluice.Errorf(sluice.Failed, "%s has no pod in which the quiesce commands could run", r.Spec.Workload).
			At(r.Spec.Pos)
	}
	var all error
	for _, pod := range pods {
		for _, command := range commands {
			if _, err := r.Place.Account.Exec(ctx, r.Place.Namespace, pod.Name, command); err != nil {
				all = errors.Join(all, err)
				break
			}
		}
	}
	return all
}
