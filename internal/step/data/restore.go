package data

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/dataset"
	"github.com/sluice-cd/sluice/internal/fingerprint"
	"github.com/sluice-cd/sluice/internal/step/decision"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/record"
)

// restoreData puts a checkpoint back. It first counts what was written since, and waits for a person if that is more
// than the file allows to be lost and nobody has agreed yet. Then it saves the current data aside in a checkpoint that
// is taken while nothing can write.
type restoreData struct {
	swap // its request is for the checkpoint that is saved aside
	sc   sluice.StepContext
}

// NewRestoreData makes the step restoreData.
func NewRestoreData(d deps.Deps, sc sluice.StepContext) (sluice.Step, error) {
	spec := sc.Step.RestoreData
	if spec.Checkpoint == "" && isLeftOut(sc, spec.From) {
		return sluice.LeftOut{Why: "left out: there was no data of " + spec.Dataset + " before"}, nil
	}
	s, err := datasetIn(d, sc, spec.Spec, sc.Target)
	if err != nil {
		return nil, err
	}
	aside := requestFor(sc, s, "-aside")
	aside.KeepBroken = true
	return &restoreData{swap{s, aside}, sc}, nil
}

// Check says what would be put back, and remembers what is there. The checkpoint may not exist yet: a preview comes
// before the deployment.
func (s *restoreData) Check(ctx context.Context) (sluice.Preview, error) {
	var needed []sluice.Object
	was, err := s.checkpoint(ctx)
	if err == nil {
		needed, _, err = s.Kept(was)
	}
	if err != nil && sluice.ErrorCode(err) != sluice.NotFound {
		return sluice.Preview{}, err
	}
	f, err := s.request.MoverOnly(ctx)
	if err != nil {
		return sluice.Preview{}, err
	}
	f.Notes = append([]string{
		"puts the checkpoint of " + s.Spec.Name + " back",
		"saves what is in " + s.Target + " aside in the checkpoint " + string(s.request.ID) + " first",
	}, f.Notes...)
	return s.preview(ctx, needed, f)
}

// Start counts what would be lost, and goes on if that is allowed or agreed to.
func (s *restoreData) Start(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	was, err := s.checkpoint(ctx)
	if err != nil {
		return p, err
	}
	if len(p.Data) > 0 {
		return s.Observe(ctx, p)
	}
	loss, err := s.Loss(ctx, was)
	if err != nil {
		return p, err
	}
	spec := s.sc.Step.RestoreData
	if spec.Consent != nil {
		return s.goOn(p, loss.Past()+", "+decision.By("agreed", sluice.Signal{By: *spec.Consent}))
	}
	if loss.Allowed(spec.AllowDataLoss) {
		return s.goOn(p, "")
	}
	p.State, p.Message = sluice.Waiting, fmt.Sprintf(
		"%s; approve to put the checkpoint %s back, reject to keep the current data", loss, was.ID)
	p.Wait = &sluice.Wait{Signals: []string{sluice.SignalApprove, sluice.SignalReject}}
	return p, nil
}

// checkpoint returns what is to be put back. A checkpoint of other claims is refused: undo would not bring back what it
// replaced outside the dataset.
func (s *restoreData) checkpoint(ctx context.Context) (sluice.Checkpoint, error) {
	spec := s.sc.Step.RestoreData
	c, err := checkpointOf(ctx, s.sc, s.Dataset, spec.Checkpoint, spec.From)
	if err != nil {
		return c, err
	}
	has, wants := slices.Sorted(slices.Values(c.Copy.Claims)), slices.Sorted(slices.Values(s.Spec.Claims))
	if c.Dataset != s.Spec.Name || !slices.Equal(has, wants) {
		return c, sluice.Errorf(sluice.Invalid, "the checkpoint %s holds %s (%s), not %s (%s)",
			c.ID, c.Dataset, strings.Join(has, ", "), s.Spec.Name, strings.Join(wants, ", ")).
			WithHint("see which there are of %s with: sluice data list", s.Spec.Name).At(s.sc.Step.Pos)
	}
	if len(c.Masked) > 0 && c.Account == s.Place.Name && c.Namespace == s.Place.Namespace {
		return c, sluice.Errorf(sluice.Invalid,
			"the checkpoint %s is masked and would replace the data it was taken from: %s are not as they were",
			c.ID, strings.Join(c.Masked, ", ")).
			WithHint("name a checkpoint of checkpointData").At(s.sc.Step.Pos)
	}
	return c, s.Reach(c)
}

// allowed is restoreData's own record that the loss may happen. It is recorded before anything is changed. So a call
// after a crash neither counts half-replaced data nor takes the work of others for its own.
type allowed struct {
	Decision string `json:"decision,omitempty"` // of a person, if one was asked
}

func (s *restoreData) goOn(p sluice.Progress, decision string) (sluice.Progress, error) {
	raw, err := record.Write(allowed{decision})
	if err != nil {
		return p, err
	}
	p.State, p.Wait, p.Data = sluice.Running, nil, raw
	p.Message = "putting " + s.Spec.Name + " of " + s.Target + " back"
	return p, nil
}

// Observe restores the checkpoint if that is allowed, and otherwise checks whether a person has decided.
func (s *restoreData) Observe(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	if len(p.Data) == 0 {
		out, ok, err := decision.Of(p)
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
	if err := record.Read(p.Data, &a); err != nil {
		return p, err
	}
	out, err := s.replace(ctx, p, was)
	if err == nil && a.Decision != "" {
		out.Message += " (" + a.Decision + ")"
	}
	return out, err
}

// replace stops the workload, saves its data aside, and restores the checkpoint.
func (s *restoreData) replace(ctx context.Context, p sluice.Progress, was sluice.Checkpoint) (sluice.Progress, error) {
	var before dataset.Before
	if err := record.Read(p.Snapshot, &before); err != nil {
		return p, err
	}
	// the version that wrote the data can open it
	_, workload, err := s.Kept(was)
	if err == nil && before.Workload != nil && dataset.ImageOf(before.Workload) == was.Image {
		workload = before.Workload
	}
	if err != nil {
		return p, err
	}
	var kept sluice.Checkpoint
	err = s.SwapIn(ctx, was, dataset.Swap{Before: before, Workload: workload, Stopped: func(ctx context.Context) error {
		kept, err = s.saveAside(ctx, p, workload)
		return err
	}})
	if kept.ID != "" {
		p.Result = &sluice.Result{Checkpoint: was.ID, SavedAside: kept.ID}
	}
	if err != nil {
		return p, err
	}
	v, err := s.arrived(ctx, was)
	if err != nil {
		return p, err
	}
	p.Result.Verification = &v
	if !v.Passed {
		return p, sluice.Errorf(sluice.Failed, "the restored data differs from the checkpoint %s: %s", was.ID, v.Reason)
	}
	p.State, p.Wait = sluice.Done, nil
	p.Message = fmt.Sprintf("the checkpoint %s of %s is back with %d documents; %d are saved aside in %s",
		was.ID, was.TakenAt.UTC().Format("15:04:05"), dataset.Documents(was.Fingerprint),
		dataset.Documents(kept.Fingerprint), kept.ID)
	return p, nil
}

// saveAside makes a checkpoint of the data of the stopped workload, so that nothing that was written is missing. It
// describes the workload as it was, or as the checkpoint has it if there was none.
func (s *restoreData) saveAside(
	ctx context.Context, p sluice.Progress, fallback sluice.Object,
) (sluice.Checkpoint, error) {
	r, before, err := recorded(s.request, p)
	if err != nil {
		return sluice.Checkpoint{}, err
	}
	if r.Stopped = before.Workload; r.Stopped == nil {
		r.Stopped = fallback
	}
	return r.Take(ctx)
}

// arrived checks that nothing of the checkpoint is missing. Other differences were written since the workload came
// back, which cannot be prevented here.
func (s *restoreData) arrived(ctx context.Context, was sluice.Checkpoint) (sluice.Verification, error) {
	plain := s.Dataset
	plain.Spec.Invariants = nil // they say what a release may do to the data, not what users do meanwhile
	v, _, err := plain.Verify(ctx, dataset.Question{Was: was, Mode: fingerprint.Loss}, "reading what is back in "+s.Target)
	return v, err
}

// CountLoss counts what the step would take away, without starting it. It cleans up also if ctx ends.
func (s *restoreData) CountLoss(ctx context.Context) (dataset.Loss, error) {
	was, err := s.checkpoint(ctx)
	if err != nil {
		return dataset.Loss{}, err
	}
	d := s.Dataset
	d.Key = dataset.Key(sluice.DeploymentID(was.ID), "loss") // the step itself may be using its own key
	return d.LossOnce(ctx, was)
}
