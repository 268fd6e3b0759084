package dataset

import (
	"context"
	"net"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// ForComparison distinguishes the scratch of a comparison from the one in which a copy is proved.
const ForComparison = "c"

// A Scratch is a separate namespace in which a copy is restored and opened.
type Scratch struct {
	inside  Dataset
	outside Dataset        // what it is a scratch of
	branch  *sluice.Branch // nil: it is removed after use
}

func (s Scratch) generation() string { return "scratch-" + s.inside.Key }

// Scratch returns the scratch beside the dataset; suffix distinguishes several.
func (d Dataset) Scratch(suffix string) Scratch {
	own, outside := "-sluice-"+d.Key+suffix, d
	d.Place.Namespace = d.Place.Namespace[:min(len(d.Place.Namespace), 63-len(own))] + own
	return Scratch{inside: d, outside: outside}
}

// Open restores the checkpoint, starts its workload as it was, and calls use with the dataset in the scratch while its
// database answers. Open removes everything afterwards, and also before, because an interrupted call may have left
// something. If ctx ends, everything stays for the next call.
func (s Scratch) Open(ctx context.Context, c sluice.Checkpoint, use func(Dataset) error) error {
	if err := s.clean(ctx); err != nil {
		return err
	}
	limits, err := s.fill(ctx, c)
	if err == nil && s.inside.Spec.Engine != EngineFiles {
		err = s.start(ctx, c, limits)
	}
	if err == nil {
		err = use(s.inside)
	}
	if ctx.Err() != nil {
		return err
	}
	err = s.about(ctx, err)
	if cleaned := s.clean(ctx); err == nil {
		return cleaned
	}
	return err
}

// fill restores the checkpoint into the claims of the namespace, which it makes.
func (s Scratch) fill(ctx context.Context, c sluice.Checkpoint) (containment, error) {
	d := s.inside
	claims, err := d.claims(ctx, c, nil)
	if err != nil {
		return containment{}, err
	}
	limits, err := d.contain(ctx, claims, s.term())
	if err != nil {
		return limits, err
	}
	if err := d.stage(ctx, c, claims, s.generation(), s.purpose()); err != nil {
		return limits, err
	}
	if err := d.use(ctx, claims, s.generation()); err != nil {
		return limits, err
	}
	return limits, d.own(ctx, limits, claims)
}

// start starts the workload of the checkpoint as it was, with what it needs.
func (s Scratch) start(ctx context.Context, c sluice.Checkpoint, limits containment) error {
	d := s.inside
	objects, workload, err := d.Kept(c)
	if err != nil {
		return err
	}
	if workload == nil {
		return sluice.Errorf(sluice.Failed, "the checkpoint %s does not hold the workload that opens its data", c.ID).
			WithHint("name the workload of the dataset %s in the deploy file", d.Spec.Name)
	}
	for _, o := range manifest.Order(objects) {
		if o.Ref() == workload.Ref() || o.Text("kind") == "PersistentVolumeClaim" {
			continue
		}
		if _, _, err := d.Place.Account.Apply(ctx, limits.owned(contained(o)), false); err != nil {
			return err
		}
	}
	return d.start(ctx, limits.owned(contained(workload)), 1)
}

// own gives the claims, which exist already, to the owner of the scratch.
func (d Dataset) own(ctx context.Context, limits containment, claims []sluice.Object) error {
	if limits.owner == nil {
		return nil
	}
	for _, claim := range claims {
		now, err := d.Place.Account.Get(ctx, claim.Ref())
		if err != nil {
			return err
		}
		o := bare(now)
		o.Set(now.Text("spec", "volumeName"), "spec", "volumeName")
		if _, _, err := d.Place.Account.Apply(ctx, limits.owned(o), false); err != nil {
			return err
		}
	}
	return nil
}

// Clean removes everything in the scratch, and the Job that reads what it is a scratch of. It succeeds if there never
// was anything.
func (s Scratch) Clean(ctx context.Context) error {
	if err := s.outside.endBeside(ctx); err != nil {
		return err
	}
	return s.clean(ctx)
}

// clean leaves the Job that reads what the scratch is of.
func (s Scratch) clean(ctx context.Context) error {
	d := s.inside
	if err := d.endBeside(ctx); err != nil {
		return err
	}
	if err := d.cancel(ctx, d.filling(s.generation())); err != nil {
		return err
	}
	if err := d.remove(ctx); err != nil {
		return err
	}
	for _, claim := range d.Spec.Claims {
		if err := d.Place.Account.Delete(ctx, claimRef(d.Place.Namespace, claim)); err != nil {
			return err
		}
	}
	for _, generation := range []string{s.generation(), d.maskedCut()} { // not all of a cut goes with the namespace
		if err := d.discard(ctx, generation); err != nil {
			return err
		}
	}
	return d.Place.Account.Delete(ctx, sluice.Ref{APIVersion: "v1", Kind: "Namespace", Name: d.Place.Namespace})
}

// about says of an error that it is about the copy. It does not name the address of what was copied.
func (s Scratch) about(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	d, text := s.inside, err.Error()
	if uri, failed := d.URI(ctx); failed == nil {
		for _, host := range hostsOf(uri) {
			text = strings.ReplaceAll(text, host, serviceOf(host))
		}
	}
	return sluice.Errorf(sluice.ErrorCode(err), "the copy of %s of %s: %s", d.Spec.Name, d.Target, text).
		WithHint("%s", sluice.ErrorHint(err))
}

// hostsOf returns the hosts in the address of a database, without their ports.
func hostsOf(uri string) []string {
	_, rest, _ := strings.Cut(uri, "://")
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		rest = rest[:end]
	}
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	var list []string
	for host := range strings.SplitSeq(rest, ",") {
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if host != "" {
			list = append(list, host)
		}
	}
	return list
}
