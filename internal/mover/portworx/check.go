package portworx

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

// Check implements sluice.Migrator.
func (p *Migrator) Check(ctx context.Context, m sluice.Move) (sluice.Moving, error) {
	was := sluice.Moving{}
	if m.From.Namespace != m.To.Namespace {
		return was, sluice.Errorf(sluice.Invalid,
			"Stork cannot move claims from the namespace %s into %s: it keeps the name of the namespace",
			m.From.Namespace, m.To.Namespace).WithHint("let both targets have the same namespace")
	}
	if m.From.Name == m.To.Name {
		return was, sluice.Errorf(sluice.Invalid, "Stork moves claims between two clusters, and both are the account %s",
			m.To.Name).WithHint("use the mover auto within one cluster")
	}
	if err := checkPair(ctx, m); err != nil {
		return was, err
	}
	var err error
	if was.Source, err = source(ctx, m); err != nil {
		return was, err
	}
	all, err := m.From.Account.List(ctx, "v1", "PersistentVolumeClaim", m.From.Namespace)
	if err != nil {
		return was, err
	}
	if was.Selector = selector(was.Source, all); was.Selector == nil {
		was.Selector, was.Labelled = map[string]string{Label: m.ID}, true
	}
	return was, destination(ctx, m, &was)
}

// checkPair refuses a pair with which a Migration would wait for ever.
func checkPair(ctx context.Context, m sluice.Move) error {
	ref := pairRef(m)
	pair, err := m.From.Account.Get(ctx, ref)
	switch sluice.ErrorCode(err) {
	case sluice.Unsupported:
		return sluice.Errorf(sluice.Unsupported, "the account %s has no ClusterPairs", m.From.Name).
			WithHint("install Stork there, or name another mover")
	case sluice.NotFound:
		return sluice.Errorf(sluice.NotFound, "there is no ClusterPair %s in the namespace %s of %s", ref.Name,
			ref.Namespace, m.From.Name).
			WithHint("correct clusterPair, or add namespace: below it; see: kubectl get clusterpairs -A")
	}
	if err != nil {
		return err
	}
	scheduler, storage := pair.Text("status", "schedulerStatus"), pair.Text("status", "storageStatus")
	if scheduler == "Ready" && storage == "Ready" {
		return nil
	}
	return sluice.Errorf(sluice.Failed, "the ClusterPair %s of %s is not ready: its scheduler is %s and its storage is %s",
		ref.Name, m.From.Name, cmp.Or(scheduler, "not known"), cmp.Or(storage, "not known")).
		WithHint("see: kubectl describe clusterpair %s -n %s", ref.Name, ref.Namespace)
}

// source returns the claims to be moved.
func source(ctx context.Context, m sluice.Move) ([]sluice.Object, error) {
	if len(m.Claims) == 0 {
		return nil, sluice.Errorf(sluice.Invalid, "there is no claim to move")
	}
	var claims []sluice.Object
	for _, name := range m.Claims {
		claim, err := m.From.Account.Get(ctx, claimRef(m.From, name))
		if sluice.ErrorCode(err) == sluice.NotFound {
			return nil, sluice.Errorf(sluice.NotFound, "there is no claim %s in the namespace %s of %s", name,
				m.From.Namespace, m.From.Name).WithHint("correct the claims of the dataset, or the namespace of the target")
		}
		if err != nil {
			return nil, err
		}
		if !isBound(claim) {
			return nil, sluice.Errorf(sluice.Failed, "the claim %s in %s of %s is not bound to a volume", name,
				m.From.Namespace, m.From.Name)
		}
		claims = append(claims, claim)
	}
	return claims, nil
}

func isBound(claim sluice.Object) bool {
	return claim.Text("status", "phase") == "Bound" && claim.Text("metadata", "deletionTimestamp") == ""
}

// destination adds what is in the way, and refuses claims that pods of others use.
func destination(ctx context.Context, m sluice.Move, was *sluice.Moving) error {
	for _, name := range m.Claims {
		claim, err := get(ctx, m.To, claimRef(m.To, name))
		if err != nil {
			return err
		}
		if claim == nil {
			continue
		}
		if !isBound(claim) {
			return sluice.Errorf(sluice.Unsupported,
				"the claim %s in %s of %s is not bound to a volume, so nothing could be put back", name, m.To.Namespace,
				m.To.Name).WithHint("wait until the claim is bound, or delete it")
		}
		volume, err := m.To.Account.Get(ctx, volumeRef(volumeOf(claim)))
		if err != nil {
			return err
		}
		was.Claims, was.Volumes = append(was.Claims, claim), append(was.Volumes, volume)
	}
	return checkUnused(ctx, m, m.Workload)
}

// checkUnused refuses claims at the destination that a pod uses, unless it is one of the workload. Stork would delete
// such a claim and give up after minutes.
func checkUnused(ctx context.Context, m sluice.Move, workload string) error {
	pods, err := m.To.Account.Pods(ctx, m.To.Namespace)
	if err != nil {
		return err
	}
	owners := map[string]string{}
	for _, p := range pods {
		owners[p.Name] = p.Owner
	}
	all, err := m.To.Account.List(ctx, "v1", "Pod", m.To.Namespace)
	if err != nil {
		return err
	}
	for _, pod := range all {
		name := pod.Ref().Name
		if workload != "" && owners[name] == workload {
			continue
		}
		for _, claim := range used(pod) {
			if slices.Contains(m.Claims, claim) {
				return sluice.Errorf(sluice.Conflict, "the claim %s in %s of %s is in use by the pod %s of %s", claim,
					m.To.Namespace, m.To.Name, name, cmp.Or(owners[name], "nobody")).
					WithHint("stop it first: Stork cannot replace a claim that a pod uses")
			}
		}
	}
	return nil
}

// used names the claims of a pod.
func used(pod sluice.Object) []string {
	var names []string
	for _, v := range pod.List("spec", "volumes") {
		if name := v.Text("persistentVolumeClaim", "claimName"); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// checkSelection makes sure that Stork finds exactly the claims: it calls a run that matches nothing successful.
func checkSelection(ctx context.Context, m sluice.Move, was sluice.Moving) error {
	all, err := m.From.Account.List(ctx, "v1", "PersistentVolumeClaim", m.From.Namespace)
	if err != nil {
		return err
	}
	var found []string
	for _, claim := range all {
		if matches(was.Selector, claim) {
			found = append(found, claim.Ref().Name)
		}
	}
	want := slices.Sorted(slices.Values(m.Claims))
	slices.Sort(found)
	if !slices.Equal(found, want) {
		return sluice.Errorf(sluice.Failed, "the labels %s select the claims %s in %s of %s instead of %s",
			written(was.Selector), cmp.Or(strings.Join(found, ", "), "none"), m.From.Namespace, m.From.Name,
			strings.Join(want, ", "))
	}
	return nil
}

func written(selector map[string]string) string {
	return strings.TrimPrefix(fmt.Sprint(selector), "map")
}
