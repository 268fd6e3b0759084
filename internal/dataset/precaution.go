package dataset

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// Precautions keep a target from acting on the data of another one: its CronJobs are suspended, and its Secrets hold
// other values, before the data is there.
type Precautions struct {
	Dataset
	Suspend  []string // CronJobs, as CronJob/name
	Secrets  []sluice.SecretValue
	Released []sluice.Object // what the release brings
	// Fill fills in a template. Its errors hold no secret.
	Fill func(ctx context.Context, template string) (string, error)
}

// Inspect refuses what does not exist and what cannot be changed, and returns the CronJobs and Secrets as they are,
// with sealed values. brought is what is created before the data is used if the target does not have it.
func (p Precautions) Inspect(ctx context.Context, brought []sluice.Object) (held []sluice.Object, err error) {
	held, missing, err := p.find(ctx, brought)
	if err != nil {
		return nil, err
	}
	for _, o := range held {
		if err := p.change(ctx, o, true); err != nil {
			return nil, err
		}
	}
	for _, o := range missing {
		if _, err := p.changed(ctx, o); err != nil {
			return nil, err
		}
	}
	return held, p.seal(held, manifest.SealSecrets)
}

// Take suspends the CronJobs, replaces the values of the Secrets, and returns once no Job of the CronJobs runs. brought
// is as in Inspect.
func (p Precautions) Take(ctx context.Context, brought []sluice.Object) error {
	there, missing, err := p.find(ctx, brought)
	if err != nil {
		return err
	}
	for _, o := range there {
		if err := p.change(ctx, o, false); err != nil {
			return err
		}
	}
	for _, o := range missing {
		if o, err = p.changed(ctx, o); err != nil {
			return err
		}
		if _, _, err := p.Place.Account.Apply(ctx, o, false); err != nil {
			return err
		}
	}
	return p.AwaitIdle(ctx)
}

// find returns the CronJobs and Secrets that are there, and those that must be created.
func (p Precautions) find(ctx context.Context, brought []sluice.Object) (there, missing []sluice.Object, err error) {
	for _, name := range p.Suspend {
		ref, err := sluice.ParseRef(name, p.Place.Namespace)
		if err != nil {
			return nil, nil, err
		}
		o, err := p.get(ctx, ref)
		if err != nil {
			return nil, nil, err
		}
		isReleased := func(o sluice.Object) bool { return o.Ref().Kind == ref.Kind && o.Ref().Name == ref.Name }
		switch {
		case o != nil:
			there = append(there, o)
		case !slices.ContainsFunc(p.Released, isReleased):
			return nil, nil, p.absent(ctx, ref, "suspend")
		}
	}
	for _, name := range p.names() {
		ref := sluice.Ref{APIVersion: "v1", Kind: "Secret", Namespace: p.Place.Namespace, Name: name}
		o, err := p.get(ctx, ref)
		if err != nil {
			return nil, nil, err
		}
		i := slices.IndexFunc(brought, func(b sluice.Object) bool { return b.Ref().Kind == "Secret" && b.Ref().Name == name })
		switch {
		case o != nil:
			there = append(there, o)
		case i >= 0:
			o = brought[i].Clone()
			o.Set(p.Place.Namespace, "metadata", "namespace")
			missing = append(missing, o)
		default:
			return nil, nil, p.absent(ctx, ref, "secrets")
		}
		if err := p.checkKeys(o); err != nil {
			return nil, nil, err
		}
	}
	return there, missing, nil
}

// names returns the names of the Secrets, each once.
func (p Precautions) names() []string {
	var list []string
	for _, v := range p.Secrets {
		if !slices.Contains(list, v.Secret) {
			list = append(list, v.Secret)
		}
	}
	return list
}

// checkKeys refuses a key that the Secret does not have: a misspelled one would leave the value as it is.
func (p Precautions) checkKeys(secret sluice.Object) error {
	encoded := secret.Clone()
	manifest.EncodeSecret(encoded)
	data, _ := encoded.Field("data").(map[string]any)
	for _, v := range p.Secrets {
		if _, ok := data[v.Key]; v.Secret == secret.Ref().Name && !ok {
			return notFound("%s of %s has no key %s", secret.Ref(), p.Target, v.Key).
				WithHint("its keys are: %s", names(data)).At(p.Spec.Pos)
		}
	}
	return nil
}

// absent is the error for a CronJob or a Secret that the target does not have.
func (p Precautions) absent(ctx context.Context, ref sluice.Ref, key string) error {
	there, _ := p.namesOf(ctx, ref.Kind, ref.Namespace)
	return notFound("migrateData of %s names %s, but %s has none in the namespace %s", p.Spec.Name, ref, p.Target,
		ref.Namespace).WithHint("%s", near(ref.Name, there, "correct "+key+": of migrateData")).At(p.Spec.Pos)
}

// change makes the CronJob or the Secret as it is to be while the target has the data.
func (p Precautions) change(ctx context.Context, o sluice.Object, dryRun bool) error {
	wanted, err := p.changed(ctx, o)
	if err != nil || isSame(o, wanted) {
		return err
	}
	_, _, err = p.Place.Account.Apply(ctx, wanted, dryRun)
	return err
}

func (p Precautions) changed(ctx context.Context, o sluice.Object) (sluice.Object, error) {
	o = bare(o)
	if o.Ref().Kind == "CronJob" {
		o.Set(true, "spec", "suspend")
		return o, nil
	}
	manifest.EncodeSecret(o)
	for _, v := range p.Secrets {
		if v.Secret != o.Ref().Name {
			continue
		}
		value, err := p.Fill(ctx, v.Value)
		if err != nil {
			return nil, err
		}
		o.Set(base64.StdEncoding.EncodeToString([]byte(value)), "data", v.Key)
	}
	return o, nil
}

var errStillRunning = errors.New("the Jobs do not end")

// AwaitIdle returns once no Job of the suspended CronJobs runs.
func (p Precautions) AwaitIdle(ctx context.Context) error {
	bounded, cancel := context.WithTimeoutCause(ctx, endings, errStillRunning)
	defer cancel()
	for _, name := range p.Suspend {
		ref, err := sluice.ParseRef(name, p.Place.Namespace)
		if err != nil {
			return err
		}
		running, err := p.awaitIdle(bounded, ref)
		if ctx.Err() == nil && context.Cause(bounded) != nil {
			return sluice.Errorf(sluice.Failed, "%s of %s is suspended, but its Jobs do not end: %s", ref, p.Target,
				strings.Join(running, ", ")).WithHint("wait for them, or delete them with: kubectl delete job --namespace %s %s",
				ref.Namespace, strings.Join(running, " "))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// awaitIdle returns the Jobs of the CronJob that ran last.
func (p Precautions) awaitIdle(ctx context.Context, ref sluice.Ref) (running []string, err error) {
	for o, err := range p.Place.Account.Follow(ctx, ref) {
		if err != nil {
			return running, err
		}
		running = nil
		for _, job := range o.List("status", "active") {
			running = append(running, job.Text("name"))
		}
		if len(running) == 0 {
			return nil, nil
		}
		p.say("waiting for the end of " + strings.Join(running, ", ") + " of " + p.Target)
	}
	return running, ctx.Err()
}

// lift puts the held objects of the kind back as they were.
func (d Dataset) lift(ctx context.Context, held []sluice.Object, kind string) error {
	for _, was := range held {
		if was.Ref().Kind != kind {
			continue
		}
		opened := []sluice.Object{was.Clone()}
		if err := d.seal(opened, manifest.OpenSecrets); err != nil {
			return err
		}
		now, err := d.get(ctx, was.Ref())
		if err != nil {
			return err
		}
		if isSame(opened[0], now) {
			continue
		}
		if _, _, err := d.Place.Account.Restore(ctx, opened[0], false); err != nil {
			return err
		}
	}
	return nil
}
