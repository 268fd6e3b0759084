package history

import (
	"context"
	"hash/maphash"
	"slices"
	"sync"

	"github.com/sluice-cd/sluice"
)

// An Index is a log that also knows which deployments were to apply an object. So a question about an object folds the
// deployments of few applications, however many there are. The Index reads each plan once and keeps eight bytes for
// each of its objects. It is safe for concurrent use.
type Index struct {
	sluice.Log
	seed maphash.Seed

	mu    sync.Mutex
	plans map[sluice.DeploymentID][]uint64 // a plan never changes
}

// NewIndex returns an Index of the log. It reads nothing yet.
func NewIndex(log sluice.Log) *Index {
	return &Index{Log: log, seed: maphash.MakeSeed(), plans: map[sluice.DeploymentID][]uint64{}}
}

// Users returns the applications whose deployments were to apply one of the objects in the account, sorted. It may also
// return, hardly ever, one whose deployments were not.
func (x *Index) Users(ctx context.Context, account string, objects []sluice.Ref) ([]string, error) {
	list, err := x.Deployments(ctx, "")
	if err != nil {
		return nil, err
	}
	wanted := map[uint64]bool{}
	for _, o := range objects {
		wanted[x.hash(account, o)] = true
	}
	found := map[string]bool{}
	var users []string
	for _, d := range list {
		if found[d.Application] {
			continue
		}
		applied, err := x.applied(ctx, d.ID)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(applied, func(h uint64) bool { return wanted[h] }) {
			found[d.Application] = true
			users = append(users, d.Application)
		}
	}
	slices.Sort(users)
	return users, nil
}

// applied returns the hashes of the objects that the deployment was to apply.
func (x *Index) applied(ctx context.Context, id sluice.DeploymentID) ([]uint64, error) {
	x.mu.Lock()
	known, ok := x.plans[id]
	x.mu.Unlock()
	if ok {
		return known, nil
	}
	for e, err := range x.Read(ctx, id, 0) {
		if err != nil {
			return nil, err
		}
		known = x.hashes(e.Plan)
		break
	}
	x.mu.Lock()
	x.plans[id] = known
	x.mu.Unlock()
	return known, nil
}

func (x *Index) hashes(p *sluice.Plan) []uint64 {
	var list []uint64
	for _, s := range p.Steps {
		if s.Apply == nil {
			continue
		}
		t, _ := p.Target(s.Target)
		for _, o := range s.Apply.Objects {
			list = append(list, x.hash(t.Account, o.Ref()))
		}
	}
	return list
}

// hash is the same for objects of one account that are [sluice.Ref.Same].
func (x *Index) hash(account string, o sluice.Ref) uint64 {
	return maphash.Comparable(x.seed, [4]string{account, o.Kind, o.Namespace, o.Name})
}
