package data_test

import (
	"context"
	"maps"
	"time"

	"github.com/sluice-cd/sluice"
)

// Describe implements sluice.Volumes.
func (w *world) Describe(_ context.Context, namespace string, claims []string) (list []sluice.ClaimState, err error) {
	for _, name := range claims {
		c := w.volumes[namespace+"/"+name]
		if c == nil {
			return nil, missing("claim " + name)
		}
		list = append(list, sluice.ClaimState{Claim: name, Generation: c.current, Way: sluice.CutFreeze})
	}
	return list, nil
}

// Cut implements sluice.Volumes.
func (w *world) Cut(
	ctx context.Context, namespace string, claims []string, generation string, _ time.Duration,
) (cut sluice.Cut, err error) {
	err = w.effect(ctx, func() error {
		cut = sluice.Cut{At: w.now, Pause: time.Millisecond}
		for _, name := range claims {
			c := w.volumes[namespace+"/"+name]
			if c == nil {
				return missing("claim " + name)
			}
			if c.generations[generation] == nil {
				c.generations[generation] = maps.Clone(c.generations[c.current])
			}
			v := sluice.Volume{Namespace: namespace, Claim: name, Generation: generation, Dir: "here"}
			cut.Volumes = append(cut.Volumes, v)
		}
		return nil
	})
	return cut, err
}

// Stage implements sluice.Volumes.
func (w *world) Stage(ctx context.Context, o sluice.Object, generation string) (sluice.Volume, error) {
	namespace, name := o.Ref().Namespace, o.Ref().Name
	v := sluice.Volume{Namespace: namespace, Claim: name, Generation: generation, Dir: "here"}
	return v, w.effect(ctx, func() error {
		c := w.volumes[namespace+"/"+name]
		if c == nil {
			c = &claim{generations: map[string]documents{}}
			w.volumes[namespace+"/"+name] = c
		}
		if c.generations[generation] == nil {
			c.generations[generation] = documents{}
		}
		return nil
	})
}

// Use implements sluice.Volumes.
func (w *world) Use(ctx context.Context, o sluice.Object, generation string) (before string, err error) {
	namespace, name := o.Ref().Namespace, o.Ref().Name
	err = w.effect(ctx, func() error {
		c := w.volumes[namespace+"/"+name]
		if c == nil || c.generations[generation] == nil {
			return missing("generation " + generation)
		}
		before = c.current
		if before != generation && w.running(namespace) {
			return sluice.Errorf(sluice.Conflict, "a pod uses the claim")
		}
		c.current = generation
		return nil
	})
	return before, err
}

// Discard implements sluice.Volumes.
func (w *world) Discard(ctx context.Context, namespace, name, generation string) error {
	return w.effect(ctx, func() error {
		c := w.volumes[namespace+"/"+name]
		if c == nil {
			return nil
		}
		if c.current == generation {
			return sluice.Errorf(sluice.Conflict, "the generation is the current one")
		}
		delete(c.generations, generation)
		if len(c.generations) == 0 {
			delete(w.volumes, namespace+"/"+name)
		}
		return nil
	})
}
