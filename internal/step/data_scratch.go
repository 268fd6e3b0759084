package step

import (
	"context"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// A scratch is a namespace of a step's own in which a copy is restored and opened, apart from everything else.
type scratch struct {
	dataset
	at         place
	generation string
}

// scratchAt names the step's scratch beside the place; more tells several of one step apart.
func (s dataset) scratchAt(at place, more string) scratch {
	own := "-sluice-" + s.key + more
	at.namespace = at.namespace[:min(len(at.namespace), 63-len(own))] + own
	return scratch{s, at, "scratch-" + s.key}
}

// open restores the copy that the checkpoint describes, starts the workload as it was, and calls use while its
// database answers at the scratch's place. Everything is cleaned up afterwards, and before: what an interrupted
// call left would be in the way.
func (x scratch) open(ctx context.Context, c sluice.Checkpoint, use func(at place) error) error {
	if err := x.clean(ctx); err != nil {
		return err
	}
	if err := x.fill(ctx, c); err != nil {
		return x.leave(ctx, err)
	}
	return x.leave(ctx, use(x.at))
}

func (x scratch) fill(ctx context.Context, c sluice.Checkpoint) error {
	namespace := sluice.Object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": x.at.namespace}}
	if _, _, err := x.at.account.Apply(ctx, namespace, false); err != nil {
		return err
	}
	if err := x.restore(ctx, x.at, c, x.generation, "restoring the copy once, to prove it"); err != nil {
		return err
	}
	objects, workload, err := x.kept(c, x.at.namespace)
	if err != nil {
		return err
	}
	if x.spec.Engine == engineFiles {
		return nil
	}
	if workload == nil {
		return sluice.Errorf(sluice.Failed, "the checkpoint %s does not hold the workload that opens its data", c.ID).
			WithHint("name the workload of the dataset %s in the deploy file", x.spec.Name)
	}
	for _, o := range manifest.Order(objects) {
		if o.Ref() == workload.Ref() {
			continue
		}
		if _, _, err := x.at.account.Apply(ctx, o, false); err != nil {
			return err
		}
	}
	workload.Set(int64(1), "spec", "replicas")
	return x.begin(ctx, x.at, workload)
}

// leave cleans up after err, which wins over an error of the cleaning. A cancelled call leaves everything to
// the one that comes after it.
func (x scratch) leave(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	if cleaned := x.clean(ctx); err == nil {
		return cleaned
	}
	return err
}

// clean takes away everything in the scratch. It succeeds if there never was anything.
func (x scratch) clean(ctx context.Context) error {
	if err := x.end(ctx, x.at); err != nil {
		return err
	}
	for _, claim := range x.spec.Claims {
		if err := x.at.account.Delete(ctx, claimRef(x.at.namespace, claim)); err != nil {
			return err
		}
		if err := x.at.account.Volumes.Discard(ctx, x.at.namespace, claim, x.generation); err != nil {
			return err
		}
	}
	return x.at.account.Delete(ctx, sluice.Ref{APIVersion: "v1", Kind: "Namespace", Name: x.at.namespace})
}

// restore fills the named generation of every claim from the checkpoint and makes it the current one. Claims
// are switched in their order after all are filled; so if the first one is current already, all are filled.
func (s dataset) restore(ctx context.Context, at place, c sluice.Checkpoint, generation, message string) error {
	filled, err := s.stage(ctx, at, c, generation, message)
	if err != nil {
		return err
	}
	for _, claim := range filled {
		if _, err := at.account.Volumes.Use(ctx, at.namespace, claim, generation); err != nil {
			return err
		}
	}
	return nil
}

func (s dataset) stage(ctx context.Context, at place, c sluice.Checkpoint, generation, message string) ([]string, error) {
	claims := c.Copy.Claims
	volumes := make([]sluice.Volume, 0, len(claims))
	for i, claim := range claims {
		err := at.account.Volumes.Discard(ctx, at.namespace, claim, generation)
		if i == 0 && sluice.ErrorCode(err) == sluice.Conflict {
			return claims, nil
		}
		if err != nil {
			return nil, err
		}
		v, err := at.account.Volumes.Stage(ctx, at.namespace, claim, generation)
		if err != nil {
			return nil, err
		}
		volumes = append(volumes, v)
	}
	m, err := s.mover(c.Copy.Mover)
	if err != nil {
		return nil, err
	}
	return claims, m.Restore(ctx, c.Copy, volumes, s.say(message))
}
