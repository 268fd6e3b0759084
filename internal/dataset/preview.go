package dataset

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// A Forecast is what a request would do.
type Forecast struct {
	Notes []string
	Mover string          // what copies the claims
	Was   *Before         // the source as it is, if it must be stopped while it is copied
	Held  []sluice.Object // what precautions change in the target
}

// Preview checks that the database's address is known and that the claims exist and can be copied, and says how.
func (r Request) Preview(ctx context.Context) (f Forecast, err error) {
	if _, err := r.URI(ctx); err != nil {
		return f, err
	}
	workload, err := r.Workload(ctx)
	if err != nil {
		return f, err
	}
	sizes, err := r.sizes(ctx)
	if err != nil {
		return f, err
	}
	states, err := r.states(ctx)
	if err != nil {
		return f, err
	}
	if workload == nil && r.Spec.Engine != EngineFiles {
		return f, r.absentWorkload(ctx)
	}
	stops, err := r.mustStop(states, workload)
	if err != nil {
		return f, err
	}
	for _, s := range states {
		note := fmt.Sprintf("copies the claim %s (%s) of %s", s.Claim, sizes[s.Claim], r.Target)
		f.Notes = append(f.Notes, note+r.way(s, stops))
	}
	note, err := r.severalNote(ctx, states)
	if err != nil {
		return f, err
	}
	if note != "" {
		f.Notes = append(f.Notes, note)
	}
	chosen, err := r.choose(ctx, states)
	if err != nil {
		return f, err
	}
	f.Mover = chosen.mover
	f.Notes = append(f.Notes, r.moverNote(ctx, chosen))
	if stops {
		f.Was = &Before{Workload: workload, Ready: manifest.Status(workload).Phase == manifest.Ready}
		f.Notes = append(f.Notes, r.pauseNote(ctx, states))
	}
	if len(r.Mask.Rewritten()) > 0 {
		f.Notes = append(f.Notes, r.maskNote())
	}
	note, err = r.CheckUpgrade(ctx, r.Image)
	if note != "" {
		f.Notes = append(f.Notes, note)
	}
	return f, err
}

// sizes returns the size of each claim in words. A claim that does not exist is NotFound.
func (r Request) sizes(ctx context.Context) (map[string]string, error) {
	all := map[string]string{}
	for _, claim := range r.Spec.Claims {
		o, err := r.Place.Account.Get(ctx, claimRef(r.Place.Namespace, claim))
		if sluice.ErrorCode(err) == sluice.NotFound {
			return nil, r.absent(ctx, claimRef(r.Place.Namespace, claim), "claims")
		}
		if err != nil {
			return nil, err
		}
		all[claim] = cmp.Or(o.Text("status", "capacity", "storage"), o.Text("spec", "resources", "requests", "storage"),
			"size not known")
	}
	return all, nil
}

// mustStop reports whether the workload must be stopped for the copy, and refuses that if the file does not allow it.
// If it allows it, the workload is also stopped for several snapshots that would not be of one instant.
func (r Request) mustStop(states []sluice.ClaimState, workload sluice.Object) (bool, error) {
	i := slices.IndexFunc(states, func(s sluice.ClaimState) bool { return s.Way == sluice.CutIdle && len(s.Users) > 0 })
	allowed := r.Spec.Quiesce.Mode == QuiesceStop && workload != nil
	if i < 0 && (!allowed || !inTurn(states)) {
		return false, nil
	}
	if !allowed {
		return false, r.notIdle(states[i])
	}
	if err := r.stoppable(); err != nil {
		return false, err
	}
	return true, r.checkUsers(states)
}

func (r Request) notIdle(s sluice.ClaimState) error {
	text := fmt.Sprintf("the claim %s of %s can only be copied while no pod uses it, and %s does", s.Claim, r.Target,
		strings.Join(s.Users, ", "))
	if s.Reason != "" {
		text += ": " + s.Reason
	}
	return sluice.Errorf(sluice.Unsupported, "%s", text).
		WithHint("write quiesce: stop, so that Sluice stops the workload for the copy; or move the data to a StorageClass " +
			"whose driver takes snapshots; or use the mover portworx").At(r.Spec.Pos)
}

// way says how a claim is copied and what that means for its pods.
func (r Request) way(s sluice.ClaimState, stops bool) string {
	var text string
	switch {
	case s.Way == sluice.CutGroup:
		text = ", from one snapshot of all claims while its pods go on"
	case s.Way == sluice.CutSnapshot && stops:
		text = ", from a snapshot while " + r.Spec.Workload + " is stopped"
	case s.Way == sluice.CutSnapshot:
		text = ", from a snapshot while its pods go on"
	case s.Way == sluice.CutFreeze:
		text = fmt.Sprintf(", while its pods stand still, for %s at most", lease)
	case len(s.Users) == 0:
		text = ", which no pod uses"
	default:
		text = ", while " + r.Spec.Workload + " is stopped"
	}
	if s.Reason != "" {
		text += " (" + s.Reason + ")"
	}
	return text
}

// severalNote says how several snapshots become of one instant, or warns that they do not. It returns "" if there is no
// need.
func (r Request) severalNote(ctx context.Context, states []sluice.ClaimState) (string, error) {
	switch {
	case r.locks(states):
		return r.lockNote(ctx, len(states))
	case !inTurn(states), len(r.Spec.Quiesce.Before) > 0, r.Spec.Quiesce.Mode == QuiesceStop:
		return "", nil
	}
	return fmt.Sprintf("the %d snapshots are taken one right after the other: if the claims must be of one instant, stop "+
		"writes meanwhile by commands in quiesce", len(states)), nil
}

// pace is how many bytes a second a copy is expected to read.
const pace = 100 << 20

// pauseNote says how long the source will be stopped.
func (r Request) pauseNote(ctx context.Context, states []sluice.ClaimState) string {
	text := fmt.Sprintf("stops %s of %s until its claims are copied, and starts it again", r.Spec.Workload, r.Target)
	if last, ok := r.last(ctx); ok && last.Pause > 0 {
		return text + fmt.Sprintf("; the last time that took %s", last.Pause.Round(time.Second))
	}
	var size int64
	for _, s := range states {
		size += s.Size
	}
	if size == 0 {
		return text
	}
	expected := time.Duration(size/pace+1) * time.Second
	return text + fmt.Sprintf("; full claims take about %s", expected)
}

// moverNote says what copies the claims and why, and how much the last time.
func (r Request) moverNote(ctx context.Context, c choice) string {
	text := "the mover " + c.mover + " copies them: " + c.why
	if last, ok := r.last(ctx); ok && last.Copy.Mover == kopiaMover && c.mover == kopiaMover {
		bytes, added := InBytes(last.Copy.Bytes), InBytes(last.Copy.Added)
		text += fmt.Sprintf("; the last copy held %s, of which %s were new", bytes, added)
	}
	return text
}

// MoverOnly is the part of Preview that says which mover copies the claims. Claims that do not exist are not refused.
func (r Request) MoverOnly(ctx context.Context) (f Forecast, err error) {
	states, err := r.states(ctx)
	if sluice.ErrorCode(err) == sluice.NotFound {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	chosen, err := r.choose(ctx, states)
	if err != nil {
		return f, err
	}
	return Forecast{Mover: chosen.mover, Notes: []string{r.moverNote(ctx, chosen)}}, nil
}

// last returns the newest checkpoint of the dataset in this target.
func (r Request) last(ctx context.Context) (sluice.Checkpoint, bool) {
	all, err := r.Catalogue.Checkpoints(ctx, r.Application)
	if err != nil {
		return sluice.Checkpoint{}, false // the note says less
	}
	for _, c := range all { // newest first
		if c.Dataset == r.Spec.Name && c.Target == r.Target {
			return c, true
		}
	}
	return sluice.Checkpoint{}, false
}

func (d Dataset) absentWorkload(ctx context.Context) error {
	ref, err := sluice.ParseRef(d.Spec.Workload, d.Place.Namespace)
	if err != nil {
		return err
	}
	return d.absent(ctx, ref, "workload")
}

// InBytes writes a size for people.
func InBytes(n int64) string {
	const kibi = 1024
	if n < kibi {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n), 0
	for ; f >= kibi && unit < 4; unit++ {
		f /= kibi
	}
	return fmt.Sprintf("%.1f %ciB", f, " KMGT"[unit])
}
