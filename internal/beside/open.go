package beside

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// ensure makes the work's objects, or finds them. The Secret comes before the Job, which needs it, and then belongs to
// the Job, so that the cluster deletes both.
func (b *Bench) ensure(ctx context.Context, w Work, k keys) error {
	wanted, err := w.job(b.options.Settings(w.Place.Name))
	if err != nil {
		return err
	}
	companions, err := w.companions(k)
	if err != nil {
		return err
	}
	job, err := b.find(ctx, w, wanted)
	if err != nil {
		return err
	}
	if job == nil {
		if err := w.apply(ctx, companions...); err != nil {
			return err
		}
		if job, _, err = w.Place.Account.Apply(ctx, wanted, false); err != nil {
			return err
		}
	}
	for _, o := range companions {
		o.Set([]any{map[string]any{
			"apiVersion": "batch/v1", "kind": "Job", "name": w.Name, "uid": job.Text("metadata", "uid"),
		}}, "metadata", "ownerReferences")
	}
	return w.apply(ctx, companions...)
}

// companions are the objects that the Job needs besides itself.
func (w Work) companions(k keys) ([]sluice.Object, error) {
	if k.endpoint != nil {
		secret, err := w.secret(k, k.endpoint.address)
		return []sluice.Object{secret}, err
	}
	secret, err := w.secret(k, "")
	return []sluice.Object{secret, w.service()}, err
}

func (w Work) apply(ctx context.Context, objects ...sluice.Object) error {
	for _, o := range objects {
		if _, _, err := w.Place.Account.Apply(ctx, o, false); err != nil {
			return err
		}
	}
	return nil
}

// find returns the Job if it runs as it is wanted, nil if there is none. It removes a Job that has ended, and one of
// another version of Sluice.
func (b *Bench) find(ctx context.Context, w Work, wanted sluice.Object) (sluice.Object, error) {
	job, err := w.Place.Account.Get(ctx, w.jobRef())
	if sluice.ErrorCode(err) == sluice.NotFound {
		return nil, w.remove(ctx)
	}
	if err != nil {
		return nil, err
	}
	same := job.Text("metadata", "annotations", digest) == wanted.Text("metadata", "annotations", digest)
	runs := job.Text("metadata", "deletionTimestamp") == "" && manifest.Status(job).Phase == manifest.InProgress
	if same && runs {
		return job, nil
	}
	return nil, w.remove(ctx)
}

// remove deletes all objects of the work. The cluster deletes what belonged to a Job some time after the Job: it would
// delete what was made again in its place.
func (w Work) remove(ctx context.Context) error {
	for _, ref := range []sluice.Ref{w.jobRef(), w.serviceRef(), w.secretRef()} {
		if err := w.Place.Account.Delete(ctx, ref); err != nil {
			return err
		}
	}
	return nil
}

// End removes the Job of the name, its pod and everything that belongs to it, and returns when they are gone. A call
// that was kept is made first. Ending a Job that does not exist succeeds, also in an account that runs none.
func (b *Bench) End(ctx context.Context, at sluice.Place, name string) error {
	if err := b.leaving.wait(ctx, at); err != nil {
		return err
	}
	return b.end(ctx, at, name)
}

func (b *Bench) end(ctx context.Context, at sluice.Place, name string) error {
	isOpen := at.Account.ClusterReader != nil // otherwise nothing of this process can run there
	if !isOpen || b.options.Settings(at.Name).Image == "" {
		return nil
	}
	w := Work{Place: at, Name: name}
	if err := b.settle(ctx, w); err != nil {
		return err
	}
	k, err := b.keys(w)
	if err != nil {
		return err
	}
	if k.endpoint != nil {
		k.endpoint.forget(k.theirs.public())
	}
	return w.remove(ctx)
}

// settle makes the call that is kept for the work.
func (b *Bench) settle(ctx context.Context, w Work) error {
	k, err := w.kept(ctx)
	if err != nil || k == nil {
		return err
	}
	w.Keeps = true
	s, err := b.Open(ctx, w)
	if err != nil {
		return err
	}
	s.Close()
	return nil
}

// How often to look at a Job that starts, besides when something of its pods changes.
const (
	firstLook = 50 * time.Millisecond
	lastLook  = time.Second
)

// await waits until the Job answers. A Job that cannot start is an error, at once if waiting does not help. A Job that
// connects to Sluice itself is there as soon as it has; its cluster may say only later that its pod runs.
func (b *Bench) await(ctx context.Context, w Work, s *Session, to *Endpoint) error {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	changed := w.watch(watching)
	answer := func() (string, error) {
		err := s.greet(ctx)
		if err == nil {
			return "", nil
		}
		return err.Error(), hopeless(err)
	}
	var called <-chan error
	if to != nil {
		called = s.called(watching)
		answer = func() (string, error) { return "its pod runs, but has not connected to " + to.address, nil }
	}
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		why, err := w.look(ctx)
		if err == nil && why == "" {
			why, err = answer()
		}
		if err != nil || why == "" {
			return err
		}
		select {
		case err := <-called:
			return err
		case <-ctx.Done():
			return w.late(ctx, why)
		case <-changed:
		case <-time.After(pause):
		}
	}
}

// called sends nil when the Job has connected to Sluice and answers, or the reason why it never will.
func (s *Session) called(ctx context.Context) <-chan error {
	called := make(chan error, 1)
	go func() {
		for {
			err := s.greet(ctx)
			if err == nil || hopeless(err) != nil {
				called <- err
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(redial):
			}
		}
	}()
	return called
}

// watch sends when a pod of the work has changed. If the account cannot watch, it never does.
func (w Work) watch(ctx context.Context) <-chan struct{} {
	changed := make(chan struct{}, 1)
	go func() {
		for o, err := range w.Place.Account.Watch(ctx, "v1", "Pod", w.Place.Namespace) {
			if err != nil {
				return
			}
			if o.Text("metadata", "labels", sluice.WorkLabel) != w.Name {
				continue
			}
			select {
			case changed <- struct{}{}:
			default: // one is on its way
			}
		}
	}()
	return changed
}

// hopeless returns the error unless it may heal while the Job starts.
func hopeless(err error) error {
	switch sluice.ErrorCode(err) {
	case sluice.Unavailable, sluice.NotFound, sluice.Cancelled:
		return nil
	}
	return err
}

// late is the error of a Job that does not run yet when ctx ends.
func (w Work) late(ctx context.Context, why string) error {
	if context.Cause(ctx) == context.Canceled {
		return sluice.Errorf(sluice.Cancelled, "the start of %s was interrupted: %s", w.title(), why)
	}
	return sluice.Errorf(sluice.Unavailable, "%s has not started in time: %s", w.title(), why).
		WithHint("look at it with: kubectl --namespace %s describe job %s", w.Place.Namespace, w.Name)
}

// greet proves that the Job answers and knows Sluice.
func (s *Session) greet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, handshake)
	defer cancel()
	resp, err := s.Do(ctx, http.MethodGet, greeting, nil)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// look returns why the Job's pod does not run yet, "" if it runs.
func (w Work) look(ctx context.Context) (why string, err error) {
	job, err := w.Place.Account.Get(ctx, w.jobRef())
	if sluice.ErrorCode(err) == sluice.NotFound {
		return "", sluice.Errorf(sluice.Unavailable, "%s was deleted while it started", w.title())
	}
	if err != nil {
		return "", hopeless(err)
	}
	pods, err := w.Place.Account.Pods(ctx, w.Place.Namespace, w.jobRef())
	if err != nil {
		return err.Error(), hopeless(err)
	}
	if state := manifest.Status(job); state.Phase != manifest.InProgress {
		return "", sluice.Errorf(sluice.Unavailable, "%s ended while it started: %s%s", w.title(), state.Message, said(pods))
	}
	if len(pods) == 0 {
		return w.refused(ctx)
	}
	for _, p := range pods {
		if p.Ready {
			return "", nil
		}
	}
	why = pods[len(pods)-1].Reason
	return why, w.unstartable(why)
}

func said(pods []sluice.Pod) string {
	for _, p := range pods {
		if p.Reason != "" {
			return "; pod " + p.Name + ": " + p.Reason
		}
	}
	return ""
}

// unstartable is an error if the reason of a pod does not pass by itself.
func (w Work) unstartable(reason string) error {
	for _, sign := range []string{"ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainer"} {
		if strings.HasPrefix(reason, sign) {
			return sluice.Errorf(sluice.Failed, "the pod of %s cannot start: %s", w.title(), reason).
				WithHint("accounts.%s.job.image in sluice.yaml must be an image that the cluster can pull", w.Place.Name)
		}
	}
	return nil
}

// refused says why the Job has no pod. The cluster says it only in an event.
func (w Work) refused(ctx context.Context) (why string, err error) {
	const none = "it has no pod yet"
	events, err := w.Place.Account.List(ctx, "v1", "Event", w.Place.Namespace)
	if err != nil {
		return none, nil // that is why it is only a guess
	}
	for _, e := range slices.Backward(events) {
		if e.Text("reason") != "FailedCreate" || e.Text("involvedObject", "name") != w.Name {
			continue
		}
		said := e.Text("message")
		if strings.Contains(said, "exceeded quota") {
			return said, sluice.Errorf(sluice.Exhausted, "%s gets no pod: %s", w.title(), said).
				WithHint("raise the quota of the namespace, or lower accounts.%s.job in sluice.yaml",
					w.Place.Name)
		}
		return said, nil
	}
	return none, nil
}
