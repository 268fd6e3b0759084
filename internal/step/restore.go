package step

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/fingerprint"
)

// aside tells the checkpoint of what a restore replaces from others.
const aside = "-aside"

// restoreData puts a checkpoint back. What was written since is counted first, and more than the file allows to
// be lost is left to a person; then it is saved aside in a checkpoint of its own, taken while nothing can write.
type restoreData struct {
	swap
}

func newRestoreData(d Deps, sc sluice.StepContext) (sluice.Step, error) {
	s, err := newDataset(d, sc, sc.Step.RestoreData.Spec)
	if err != nil {
		return nil, err
	}
	at, err := s.at(sc.Target)
	return &restoreData{swap{s, at}}, err
}

func (s *restoreData) taking() taking {
	return taking{dataset: s.dataset, from: s.at, id: s.id(s.sc.Step.ID, aside), lenient: true}
}

// Check says what would be put back, and remembers what is there. A checkpoint that is not made yet is none of
// its business: a preview comes before the deployment.
func (s *restoreData) Check(ctx context.Context) (sluice.Preview, error) {
	var needed []sluice.Object
	was, err := s.checkpoint(ctx)
	if err == nil {
		needed, _, err = s.kept(was, s.at.namespace)
	}
	if err != nil && sluice.ErrorCode(err) != sluice.NotFound {
		return sluice.Preview{}, err
	}
	return s.preview(ctx, needed, []string{
		"puts the checkpoint of " + s.spec.Name + " back",
		"saves what is in " + s.at.target + " aside in the checkpoint " + string(s.taking().id) + " first",
	})
}

// Start counts what would be lost, and goes on if that is allowed.
func (s *restoreData) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	was, err := s.checkpoint(ctx)
	if err != nil {
		return p, err
	}
	if len(p.Data) > 0 {
		return s.Observe(ctx, p)
	}
	l, err := s.losses(ctx, was)
	if err != nil {
		return p, err
	}
	if s.sc.Step.RestoreData.Consent != nil || l.allowed(s.sc.Step.RestoreData.AllowDataLoss) {
		return s.goOn(p, "")
	}
	p.State, p.Message = sluice.Waiting, l.String()+"; approve to put the checkpoint "+string(was.ID)+" back, reject to keep what is there"
	p.Wait = &sluice.Wait{Signals: []string{sluice.SignalApprove, sluice.SignalReject}}
	return p, nil
}

// checkpoint returns what is to be put back. One of other claims is refused: what it replaced besides those of the
// dataset, nothing would bring back.
func (s *restoreData) checkpoint(ctx context.Context) (sluice.Checkpoint, error) {
	spec := s.sc.Step.RestoreData
	c, err := s.made(ctx, spec.Checkpoint, spec.From)
	if err != nil {
		return c, err
	}
	has, wants := slices.Sorted(slices.Values(c.Copy.Claims)), slices.Sorted(slices.Values(s.spec.Claims))
	if c.Dataset != s.spec.Name || !slices.Equal(has, wants) {
		return c, sluice.Errorf(sluice.Invalid, "the checkpoint %s holds %s (%s), not %s (%s)",
			c.ID, c.Dataset, strings.Join(has, ", "), s.spec.Name, strings.Join(wants, ", ")).
			WithHint("see which there are of %s with: sluice data list", s.spec.Name).At(s.sc.Step.Pos)
	}
	if len(c.Masked) > 0 && c.Account == s.at.name && c.Namespace == s.at.namespace {
		return c, sluice.Errorf(sluice.Invalid, "the checkpoint %s is masked and would replace what it was taken from: %s are not as they were", c.ID, strings.Join(c.Masked, ", ")).
			WithHint("name a checkpoint of checkpointData").At(s.sc.Step.Pos)
	}
	return c, nil
}

// restoreData's own record: the loss may happen. It is written down before anything is touched, so that a call after
// a crash neither counts what is half replaced nor takes what somebody else did for its own work.
type allowed struct {
	Decision string `json:"decision,omitempty"` // of a person, where one was asked
}

func (s *restoreData) goOn(p sluice.Progress, decision string) (sluice.Progress, error) {
	raw, err := record(allowed{decision})
	if err != nil {
		return p, err
	}
	p.State, p.Wait, p.Data, p.Message = sluice.Running, nil, raw, "putting "+s.spec.Name+" of "+s.at.target+" back"
	return p, nil
}

// Observe puts back what may be put back, and otherwise looks whether a person has decided.
func (s *restoreData) Observe(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	if len(p.Data) == 0 {
		out, ok, err := decided(p)
		if err != nil || !ok {
			return p, err
		}
		return s.goOn(out, out.Message)
	}
	was, err := s.checkpoint(ctx)
	if err != nil {
		return p, err
	}
	var a allowed
	if err := recall(p.Data, &a); err != nil {
		return p, err
	}
	out, err := s.replace(ctx, p, was)
	if err != nil || a.Decision == "" {
		return out, err
	}
	out.Message += " (" + a.Decision + ")"
	return out, nil
}

// replace stops the workload, saves aside, and puts the checkpoint back.
func (s *restoreData) replace(ctx context.Context, p sluice.Progress, was sluice.Checkpoint) (sluice.Progress, error) {
	i, err := s.image(p.Image)
	if err != nil {
		return p, err
	}
	workload, err := s.version(was, i)
	if err != nil {
		return p, err
	}
	kept, err := s.saveAside(ctx, opener(i, workload))
	if err != nil {
		return p, err
	}
	p.Result = &sluice.Result{Checkpoint: was.ID, SavedAside: kept.ID}
	if err := s.in(ctx, was, workload); err != nil {
		return p, err
	}
	v, err := s.arrived(ctx, was)
	if err != nil {
		return p, err
	}
	p.Result.Verification = &v
	if !v.Passed {
		return p, sluice.Errorf(sluice.Failed, "what was put back is not what the checkpoint %s holds: %s", was.ID, v.Reason)
	}
	p.State, p.Wait = sluice.Done, nil
	p.Message = fmt.Sprintf("the checkpoint %s of %s is back with %d documents; %d are saved aside in %s",
		was.ID, was.TakenAt.UTC().Format("15:04:05"), documents(was.Fingerprint), documents(kept.Fingerprint), kept.ID)
	return p, nil
}

// saveAside stops the workload and then makes a checkpoint of what is there, so that nothing written until the
// last moment is missing from it. The workload's own description is handed in: it is not there any more.
func (s *restoreData) saveAside(ctx context.Context, workload sluice.Object) (sluice.Checkpoint, error) {
	t := s.taking()
	t.stopped = workload
	c, err := s.deps.Catalogue.Checkpoint(ctx, t.id)
	if err == nil {
		return c, t.clean(ctx)
	}
	if sluice.ErrorCode(err) != sluice.NotFound {
		return c, err
	}
	if err := s.end(ctx, s.at); err != nil {
		return c, err
	}
	return t.take(ctx)
}

// version returns the workload that opens the data: the one that wrote it, unless the current one is that.
func (s *restoreData) version(was sluice.Checkpoint, i swapImage) (sluice.Object, error) {
	_, workload, err := s.kept(was, s.at.namespace)
	if err == nil && i.Workload != nil && imageOf(i.Workload) == was.Image {
		return i.Workload, nil
	}
	return workload, err
}

// opener returns the workload that opens what is there now: its own, or the next best.
func opener(i swapImage, fallback sluice.Object) sluice.Object {
	if i.Workload != nil {
		return i.Workload
	}
	return fallback
}

// arrived makes sure that nothing of the checkpoint is missing. What differs otherwise was written since the
// workload came back, which cannot be held off here.
func (s *restoreData) arrived(ctx context.Context, was sluice.Checkpoint) (sluice.Verification, error) {
	now, err := s.read(ctx, s.at, "reading what is back in "+s.at.target)
	if err != nil {
		return sluice.Verification{}, err
	}
	plain := s.dataset
	plain.spec.Invariants = nil // they say what a release may do to the data, not what users do meanwhile
	return plain.judge(ctx, question{at: s.at, was: was, now: now, mode: fingerprint.Loss})
}

// Finish discards what was replaced.
func (s *restoreData) Finish(ctx context.Context, p sluice.Progress) error {
	if err := s.scratchAt(s.at, compared).clean(ctx); err != nil {
		return err
	}
	if err := s.taking().clean(ctx); err != nil {
		return err
	}
	return s.settle(ctx, p.Image)
}

// Undo puts back what the restore replaced. The checkpoint of it stays.
func (s *restoreData) Undo(ctx context.Context, p sluice.Progress) error {
	if err := s.back(ctx, p.Image); err != nil {
		return err
	}
	if err := s.scratchAt(s.at, compared).clean(ctx); err != nil {
		return err
	}
	return s.taking().undo(ctx)
}

// A loss is what a restore would take away.
type loss struct {
	writes  int64
	age     time.Duration
	unknown string // why the writes cannot be counted
}

// losses counts the documents that were added, changed or deleted since the checkpoint.
func (s *restoreData) losses(ctx context.Context, was sluice.Checkpoint) (loss, error) {
	l := loss{age: s.deps.Now().Sub(was.TakenAt)}
	if s.spec.Engine == engineFiles {
		l.unknown = "files are not compared"
		return l, nil
	}
	now, err := s.read(ctx, s.at, "counting what was written to "+s.spec.Name+" since the checkpoint")
	if err != nil && ctx.Err() == nil {
		// A database that does not open any more is a reason to restore, not one to refuse it.
		l.unknown = err.Error()
		return l, nil
	}
	if err != nil {
		return l, err
	}
	v, err := s.judge(ctx, question{at: s.at, was: was, now: now, mode: fingerprint.Loss})
	if err != nil {
		return l, err
	}
	for _, c := range v.Comparison.Collections {
		l.writes += c.Missing + c.Added + c.Changed
	}
	return l, nil
}

// allowed reports whether the loss needs no person: nothing is lost, or every bound that the file sets holds.
func (l loss) allowed(a *sluice.AllowDataLoss) bool {
	if l.unknown == "" && l.writes == 0 {
		return true
	}
	if a == nil || a.Writes == 0 && a.Age == 0 {
		return false
	}
	return !slices.Contains([]bool{
		a.Writes == 0 || l.unknown == "" && l.writes <= int64(a.Writes),
		a.Age == 0 || l.age <= a.Age,
	}, false)
}

// String tells a person what is at stake.
func (l loss) String() string {
	age := l.age.Round(time.Second)
	if l.unknown != "" {
		return fmt.Sprintf("what was written in the %s since the checkpoint would be lost and cannot be counted (%s)", age, l.unknown)
	}
	return fmt.Sprintf("%d documents were added, changed or deleted in the %s since the checkpoint and would be lost", l.writes, age)
}
