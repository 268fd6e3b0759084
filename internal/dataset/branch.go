package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

// BranchKey returns the key for what is made for a branch.
func BranchKey(name string) string { return Key("branch", sluice.StepID(name)) }

func branchTerm(b sluice.Branch) term {
	raw, err := json.Marshal(b)
	if err != nil {
		panic(err) // it holds texts and times
	}
	return term{kind: copyBranch, from: b.MadeAt, until: b.Expires, notes: map[string]any{branchNote: string(raw)}}
}

// Branch makes the branch of the checkpoint in the place of d, and starts its workload there. If an interrupted call
// has begun it, Branch goes on. If the branch is complete, its data stays as it is. Conflict: the namespace exists and
// is something else. A branch that cannot be made leaves nothing.
func (d Dataset) Branch(ctx context.Context, c sluice.Checkpoint, b sluice.Branch) (sluice.Branch, error) {
	was, err := d.branchThere(ctx, b)
	if err != nil {
		return b, err
	}
	if was != nil {
		b.MadeAt = was.MadeAt
	}
	s := d.branching(c, b)
	err = s.make(ctx, c)
	if err == nil || ctx.Err() != nil {
		return b, err
	}
	err = s.about(ctx, err)
	if was == nil {
		err = errors.Join(err, s.Clean(ctx))
	}
	return b, err
}

func (d Dataset) branching(c sluice.Checkpoint, b sluice.Branch) Scratch {
	d.Key, d.Spec.Claims = BranchKey(b.Name), c.Copy.Claims
	d.Deployment, d.Step, d.Target = c.Deployment, c.Step, c.Target
	return Scratch{inside: d, outside: d, branch: &b}
}

func (s Scratch) make(ctx context.Context, c sluice.Checkpoint) error {
	d := s.inside
	objects, workload, err := d.Kept(c)
	if err != nil {
		return err
	}
	if _, err := d.Room(ctx, objects); err != nil {
		return err
	}
	limits, err := s.fill(ctx, c)
	if err != nil || workload == nil && d.Spec.Engine == EngineFiles {
		return err
	}
	return s.start(ctx, c, limits)
}

// branchThere returns the branch if it exists, nil if its namespace does not. It first removes one that has
// expired.
func (d Dataset) branchThere(ctx context.Context, b sluice.Branch) (*sluice.Branch, error) {
	o, err := d.get(ctx, sluice.Ref{APIVersion: "v1", Kind: "Namespace", Name: b.Namespace})
	if err != nil || o == nil {
		return nil, err
	}
	t := temporary(d.Place, o)
	switch {
	case t.Branch == nil || t.Branch.Name != b.Name:
		return nil, sluice.Errorf(sluice.Conflict,
			"the namespace %s of the account %s exists already and is not the branch %s", b.Namespace, b.Account, b.Name).
			WithHint("name a namespace that does not exist; a branch overwrites nothing")
	case t.IsExpired(d.Now()), o.Text("metadata", "deletionTimestamp") != "":
		return nil, t.Remove(ctx, d.Tools)
	case t.Branch.Checkpoint != b.Checkpoint:
		return nil, sluice.Errorf(sluice.Conflict, "the branch %s exists already, of the checkpoint %s", b.Name,
			t.Branch.Checkpoint).WithHint("name another namespace, or delete it: sluice data delete %s", b.Name)
	}
	return t.Branch, nil
}

// Entrances returns the Services by which the branch is reached.
func (t Temporary) Entrances(ctx context.Context) ([]sluice.Entrance, error) {
	account := t.Place.Account
	services, err := account.List(ctx, "v1", "Service", t.Place.Namespace)
	if err != nil {
		return nil, err
	}
	var list []sluice.Entrance
	for _, o := range services {
		for _, p := range o.List("spec", "ports") {
			e := sluice.Entrance{Service: o.Ref().Name, Port: p.Number(0, "port")}
			if account.Writers == nil { // an account on this machine
				if e.Address, err = account.Address(ctx, t.Place.Namespace, e.Service, e.Port); err != nil {
					return nil, err
				}
			}
			list = append(list, e)
		}
	}
	return list, nil
}

// Extend changes when the branch expires, and returns it as it is now. Conflict: it has expired.
func (t Temporary) Extend(ctx context.Context, until time.Time) (sluice.Branch, error) {
	b := *t.Branch
	b.Expires = until
	d := t.dataset()
	account := d.Place.Account
	if account.Writers == nil {
		_, _, err := account.Apply(ctx, t.until(b), false)
		return b, err
	}
	account.ClusterWriter, _ = account.Writers.For(sluice.Writing{Application: b.Application})
	job := d.expiry(branchTerm(b))
	if _, err := account.Get(ctx, job.Ref()); err != nil {
		if sluice.ErrorCode(err) == sluice.NotFound {
			return b, sluice.Errorf(sluice.Conflict, "the branch %s has expired, and its cluster has deleted its data", b.Name).
				WithHint("remove what is left of it: sluice data delete %s", b.Name)
		}
		return b, err
	}
	for _, o := range []sluice.Object{t.until(b), job} {
		if _, _, err := account.Apply(ctx, o, false); err != nil {
			return b, err
		}
	}
	return b, nil
}

// until returns the namespace with what it says of the branch.
func (t Temporary) until(b sluice.Branch) sluice.Object {
	notes := map[string]any{}
	all, _ := t.namespace.Field("metadata", "annotations").(map[string]any)
	for key, note := range all {
		if strings.HasPrefix(key, notePrefix) {
			notes[key] = note
		}
	}
	return namespaceOf(b.Namespace, branchTerm(b), notes)
}
