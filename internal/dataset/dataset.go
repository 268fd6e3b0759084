package dataset

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover"
)

const (
	autoMover  = "auto"
	kopiaMover = "kopia" // works between any two accounts

	// EngineFiles is the engine of a dataset without a database.
	EngineFiles = "files"
	// QuiesceStop is the mode that lets the workload be stopped while its claims are copied, if nothing else is possible.
	QuiesceStop = "stop"
	// lease bounds how long the pods of a source stand still if this process dies while it cuts.
	lease = 30 * time.Second
)

// Tools is what work on datasets acts through.
type Tools struct {
	Movers    map[string]sluice.Mover
	Databases map[string]sluice.Databases // by engine
	Beside    Beside                      // nil: this process reads every database itself
	Catalogue sluice.Catalogue
	Sealer    sluice.Sealer // nil: no workload may need Secrets
	MaskKey   []byte        // nil: nothing can be masked
	Now       func() time.Time
}

// A Dataset is a dataset at one place, with what is needed to work on it. Its place has volumes.
type Dataset struct {
	Tools
	Spec        sluice.Dataset
	Place       sluice.Place
	Target      string // the name of the place in messages and checkpoints
	Key         string // the names of everything that is made for the dataset derive from it
	Application string
	Deployment  sluice.DeploymentID
	Step        sluice.StepID
	Owner       string // who started the deployment
	// URI returns the address of the database, with its secrets.
	URI func(context.Context) (string, error)
	// Ready returns once the workload is ready, or with the error that prevents that.
	Ready  func(ctx context.Context, a sluice.Account, workload sluice.Ref) error
	Report func(sluice.Progress)
}

// Key returns the key for what a step of a deployment makes.
func Key(d sluice.DeploymentID, step sluice.StepID) string {
	sum := sha256.Sum256([]byte(string(d) + "\n" + string(step)))
	return hex.EncodeToString(sum[:5])
}

// CheckpointID names the checkpoint that a step of a deployment makes; suffix distinguishes several of one step.
func CheckpointID(d sluice.DeploymentID, step sluice.StepID, suffix string) sluice.CheckpointID {
	return sluice.CheckpointID(string(d) + "-" + strings.NewReplacer("/", "-", " ", "-").Replace(string(step)) + suffix)
}

// Check refuses a dataset whose engine or mover is not available.
func (d Dataset) Check() error {
	if err := d.CheckEngine(); err != nil {
		return err
	}
	_, err := d.mover(d.Spec.Mover)
	return err
}

// CheckEngine refuses a dataset whose engine is not available.
func (d Dataset) CheckEngine() error {
	if d.Spec.Engine != EngineFiles && d.Databases[d.Spec.Engine] == nil {
		return sluice.Errorf(sluice.Unsupported, "databases of the engine %q are not supported", d.Spec.Engine).
			WithHint("the supported engines are: %s and %s", names(d.Databases), EngineFiles).At(d.Spec.Pos)
	}
	return nil
}

// mover returns the mover of that name. Before one is chosen, "" and auto mean kopia.
func (d Dataset) mover(name string) (sluice.Mover, error) {
	if name == "" || name == autoMover {
		name = kopiaMover
	}
	if m, ok := d.Movers[name]; ok {
		return m, nil
	}
	return nil, sluice.Errorf(sluice.Invalid, "there is no mover %q", name).
		WithHint("the movers here are: %s", names(d.Movers)).At(d.Spec.Pos)
}

func names[V any](m map[string]V) string {
	return cmp.Or(strings.Join(slices.Sorted(maps.Keys(m)), ", "), "none")
}

// say shows what is being done, and how much of it is done.
func (d Dataset) say(message string) func(sluice.Amount) {
	d.Report(sluice.Progress{State: sluice.Running, Message: message})
	return func(a sluice.Amount) {
		d.Report(sluice.Progress{State: sluice.Running, Message: message, Amount: &a})
	}
}

// discard removes a generation of every claim.
func (d Dataset) discard(ctx context.Context, generation string) error {
	for _, claim := range d.Spec.Claims {
		if err := d.Place.Account.Volumes.Discard(ctx, d.Place.Namespace, claim, generation); err != nil {
			return err
		}
	}
	return nil
}

// filling is the transfer that fills the generation.
func (d Dataset) filling(generation string) sluice.Transfer {
	return sluice.Transfer{Kind: sluice.TransferRestore, ID: generation, Place: d.Place}
}

// cancel ends a transfer, whichever mover carries it out.
func (d Dataset) cancel(ctx context.Context, t sluice.Transfer) error {
	for _, m := range d.Movers {
		if err := m.Cancel(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// stage fills the generation of every claim from the checkpoint. Claims are switched in their order after all are
// filled; so if the first one is switched already, all are filled. What an earlier call filled in part is kept.
func (d Dataset) stage(
	ctx context.Context, c sluice.Checkpoint, claims []sluice.Object, generation, message string,
) error {
	err := d.fill(ctx, c, claims, generation, message)
	if sluice.ErrorCode(err) != sluice.Conflict {
		return err
	}
	// A volume is full: an earlier call was killed at its end, or it is of an earlier try.
	for _, claim := range c.Copy.Claims {
		if err := d.Place.Account.Volumes.Discard(ctx, d.Place.Namespace, claim, generation); err != nil {
			return err
		}
	}
	return d.fill(ctx, c, claims, generation, message)
}

func (d Dataset) fill(
	ctx context.Context, c sluice.Checkpoint, claims []sluice.Object, generation, message string,
) error {
	m, err := d.mover(c.Copy.Mover)
	if err == nil {
		err = d.Reach(c)
	}
	if err != nil {
		return err
	}
	t := d.filling(generation)
	t.Copy = c.Copy
	for i, claim := range claims {
		from := ""
		if c.Copy.InStorage() {
			from = c.Copy.Snapshots[i]
		}
		v, err := d.Place.Account.Volumes.Stage(ctx, claim, generation, from)
		if err != nil || v.Current {
			return err
		}
		if v.Dir == "" && v.Mount == "" {
			return sluice.Errorf(sluice.Conflict, "the generation %s of the claim %s was already in use", generation, v.Claim)
		}
		t.Volumes = append(t.Volumes, v)
	}
	_, err = mover.Run(ctx, m, t, d.say(message))
	return err
}

// claims returns the claims of the checkpoint as they are to be in this place: as they are there or were there before,
// otherwise as they were where the checkpoint was taken.
func (d Dataset) claims(ctx context.Context, c sluice.Checkpoint, before []sluice.Object) ([]sluice.Object, error) {
	kept, _, err := d.Kept(c)
	if err != nil {
		return nil, err
	}
	known := append(slices.Clone(before), kept...)
	list := make([]sluice.Object, len(c.Copy.Claims))
	for i, name := range c.Copy.Claims {
		ref := claimRef(d.Place.Namespace, name)
		o, err := d.get(ctx, ref)
		if err != nil {
			return nil, err
		}
		if o != nil {
			list[i] = bare(o)
			continue
		}
		at := slices.IndexFunc(known, func(o sluice.Object) bool { return o.Ref() == ref })
		if at < 0 {
			return nil, sluice.Errorf(sluice.Failed, "the checkpoint %s does not say what its claim %s is like", c.ID, name).
				WithHint("create the claim in the namespace %s", d.Place.Namespace)
		}
		list[i] = known[at]
	}
	return list, nil
}

// use makes the generation the current one of every claim, once no pod of the mover that filled it is left.
func (d Dataset) use(ctx context.Context, claims []sluice.Object, generation string) error {
	if err := d.cancel(ctx, d.filling(generation)); err != nil {
		return err
	}
	for _, claim := range claims {
		if _, err := d.Place.Account.Volumes.Use(ctx, claim, generation); err != nil {
			return err
		}
	}
	return nil
}
