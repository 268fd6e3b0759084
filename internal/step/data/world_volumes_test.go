package data_test

import (
	"cmp"
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
		state := sluice.ClaimState{Claim: name, Generation: c.current, Way: sluice.CutFreeze}
		if w.snapshots {
			state.Way, state.Driver = sluice.CutSnapshot, cmp.Or(w.drivers[namespace], "disks")
		}
		if w.grouped && len(claims) > 1 {
			state.Way = sluice.CutGroup
		}
		if w.idle {
			state.Way, state.Reason = sluice.CutIdle, "its driver takes no snapshots"
		}
		if w.running(namespace) {
			state.Users = []string{"StatefulSet/mongo"}
		}
		state.Users = append(state.Users, w.users[namespace+"/"+name]...)
		list = append(list, state)
	}
	return list, nil
}

// Cut implements sluice.Volumes.
func (w *world) Cut(
	ctx context.Context, namespace string, claims []string, generation string, _ time.Duration,
) (cut sluice.Cut, err error) {
	err = w.effect(ctx, func() error {
		cut = sluice.Cut{At: w.now, Pause: time.Millisecond, Held: w.idle}
		w.cuts++
		if w.cutting != nil {
			w.cutting()
		}
		switch {
		case w.unready:
			return sluice.Errorf(sluice.Failed, "the snapshot of %s is not ready: its driver is full", claims[0])
		case w.idle && (w.running(namespace) || w.ending[namespace]):
			return sluice.Errorf(sluice.Unsupported, "a pod uses the claim %s", claims[0])
		}
		for _, name := range claims {
			c := w.volumes[namespace+"/"+name]
			if c == nil {
				return missing("claim " + name)
			}
			v := sluice.Volume{Namespace: namespace, Claim: name, Generation: generation, Dir: "here"}
			if w.idle {
				v.Generation = c.current
			} else if c.generations[generation] == nil {
				c.generations[generation] = maps.Clone(c.generations[c.current])
			}
			cut.Volumes = append(cut.Volumes, v)
		}
		return nil
	})
	return cut, err
}

// Stage implements sluice.Volumes.
func (w *world) Stage(ctx context.Context, o sluice.Object, generation, from string) (sluice.Volume, error) {
	namespace, name := o.Ref().Namespace, o.Ref().Name
	v := sluice.Volume{Namespace: namespace, Claim: name, Generation: generation, Dir: "here"}
	v.Mount = name + "-" + generation
	err := w.effect(ctx, func() error {
		begins := documents{}
		if from != "" {
			if begins = w.content(from); begins == nil {
				return missing("snapshot " + from)
			}
		}
		c := w.volumes[namespace+"/"+name]
		if c == nil {
			c = &claim{generations: map[string]documents{}}
			w.volumes[namespace+"/"+name] = c
		}
		if c.generations[generation] == nil {
			c.generations[generation] = begins
		}
		c.kept, v.Current = true, c.current == generation
		return nil
	})
	return v, err
}

// Use implements sluice.Volumes. A cluster deletes the claim and creates it again.
func (w *world) Use(ctx context.Context, o sluice.Object, generation string) (before string, err error) {
	ref := o.Ref()
	same := false
	err = w.effect(ctx, func() error {
		c := w.volumes[ref.Namespace+"/"+ref.Name]
		if c == nil || c.generations[generation] == nil {
			return missing("generation " + generation)
		}
		before = c.current
		same = before == generation
		if !same && (w.running(ref.Namespace) || w.ending[ref.Namespace]) {
			return sluice.Errorf(sluice.Conflict, "a pod uses the claim")
		}
		if w.cluster && !same {
			w.dropClaim(ref)
		} else {
			c.current = generation
		}
		return nil
	})
	if err != nil || !w.cluster || same {
		return before, err
	}
	return before, w.effect(ctx, func() error {
		w.volumes[ref.Namespace+"/"+ref.Name].current = generation
		return w.store(o)
	})
}

// Discard implements sluice.Volumes.
func (w *world) Discard(ctx context.Context, namespace, name, generation string) error {
	return w.effect(ctx, func() error {
		delete(w.retained, namespace+" "+name+" "+generation)
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
