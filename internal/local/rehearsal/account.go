package rehearsal

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/kind"
)

// An account is a local account that also keeps the objects that it does not support.
type account struct {
	sluice.Account
	assumed []sluice.Ref // Services that count as existing
}

// NewAccount returns the account over a local one. It also keeps the objects that the local account does not support:
// they count as ready and do nothing. It creates missing claims that pods use, empty. The assumed Services are those
// that the plan uses and does not contain.
func NewAccount(on sluice.Account, assumed []sluice.Ref) sluice.Account {
	a := &account{on, assumed}
	on.ClusterReader, on.ClusterWriter, on.Network, on.Adopter = a, a, a, a
	return on
}

// Get returns the object, which may be inert or an assumed Service.
func (a *account) Get(ctx context.Context, ref sluice.Ref) (sluice.Object, error) {
	if !kind.Runs(ref.APIVersion, ref.Kind) {
		return a.getInert(ctx, ref)
	}
	o, err := a.Account.Get(ctx, ref)
	if sluice.ErrorCode(err) != sluice.NotFound || ref.Kind != "Service" {
		return o, err
	}
	if o, inertErr := a.getInert(ctx, ref); sluice.ErrorCode(inertErr) != sluice.NotFound {
		return o, inertErr
	}
	if a.isAssumed(ref.Namespace, ref.Name) {
		return assumedService(ref), nil
	}
	return o, err
}

// Apply applies the object, or keeps it inert if the local account does not support it.
func (a *account) Apply(ctx context.Context, o sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	ref := o.Ref()
	if !kind.Runs(ref.APIVersion, ref.Kind) {
		return a.applyInert(ctx, o, dryRun)
	}
	if !dryRun {
		if err := a.bringClaims(ctx, o); err != nil {
			return nil, "", err
		}
	}
	applied, outcome, err := a.Account.Apply(ctx, o, dryRun)
	if ref.Kind == "Service" && sluice.ErrorCode(err) == sluice.Unsupported {
		return a.applyInert(ctx, o, dryRun)
	}
	return applied, outcome, err
}

// Restore applies the object as it was: only Sluice writes to the account.
func (a *account) Restore(ctx context.Context, was sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	return a.Apply(ctx, was, dryRun)
}

// Beside applies the canary and creates the missing claims that its pods mount.
func (a *account) Beside(ctx context.Context, canary sluice.Object, replicaSet string) (sluice.Object,
	sluice.Outcome, error) {
	if err := a.bringClaims(ctx, canary); err != nil {
		return nil, "", err
	}
	return a.Account.Beside(ctx, canary, replicaSet)
}

// bringClaims creates the missing claims that the workload's pods mount.
func (a *account) bringClaims(ctx context.Context, o sluice.Object) error {
	namespace := o.Text("metadata", "namespace")
	for _, name := range claimsOf(o) {
		ref := sluice.Ref{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: namespace, Name: name}
		_, err := a.Account.Get(ctx, ref)
		if sluice.ErrorCode(err) == sluice.NotFound {
			_, _, err = a.Account.Apply(ctx, emptyClaim(ref), false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func emptyClaim(ref sluice.Ref) sluice.Object {
	return sluice.Object{
		"apiVersion": ref.APIVersion, "kind": ref.Kind,
		"metadata": map[string]any{"name": ref.Name, "namespace": ref.Namespace},
		"spec": map[string]any{
			"accessModes": []any{"ReadWriteOnce"},
			"resources":   map[string]any{"requests": map[string]any{"storage": "1Gi"}},
		},
	}
}

// Delete deletes the object, inert or not.
func (a *account) Delete(ctx context.Context, ref sluice.Ref) error {
	if !kind.Runs(ref.APIVersion, ref.Kind) {
		return a.deleteInert(ctx, ref)
	}
	if ref.Kind == "Service" {
		if err := a.deleteInert(ctx, ref); err != nil {
			return err
		}
	}
	return a.Account.Delete(ctx, ref)
}

// Watch yields the objects of the kind, which are inert if the local account does not support the kind.
func (a *account) Watch(ctx context.Context, apiVersion, kindName, namespace string) iter.Seq2[sluice.Object, error] {
	if !kind.Runs(apiVersion, kindName) {
		return a.watchInert(ctx, kindName, namespace)
	}
	return a.Account.Watch(ctx, apiVersion, kindName, namespace)
}

// Follow is Watch for one object.
func (a *account) Follow(ctx context.Context, ref sluice.Ref) iter.Seq2[sluice.Object, error] {
	if kind.Runs(ref.APIVersion, ref.Kind) {
		return a.Account.Follow(ctx, ref)
	}
	return a.followInert(ctx, ref)
}

// Address returns where a Service's port answers. For a port that was moved this is the new port, for an assumed or
// inert Service the address in the cluster.
func (a *account) Address(ctx context.Context, namespace, service string, port int) (string, error) {
	address, err := a.Account.Address(ctx, namespace, service, port)
	if sluice.ErrorCode(err) != sluice.NotFound {
		return address, err
	}
	if moved, movedErr := a.Account.Address(ctx, namespace, service, port+movedBy); movedErr == nil {
		return moved, nil
	}
	inert := a.isAssumed(namespace, service)
	if !inert {
		_, getErr := a.getInert(ctx, sluice.Ref{Kind: "Service", Namespace: namespace, Name: service})
		inert = getErr == nil
	}
	if inert {
		return fmt.Sprintf("%s.%s:%d", service, namespace, port), nil
	}
	return "", err
}

func (a *account) isAssumed(namespace, service string) bool {
	return slices.ContainsFunc(a.assumed, func(r sluice.Ref) bool { return r.Namespace == namespace && r.Name == service })
}

func assumedService(ref sluice.Ref) sluice.Object {
	return sluice.Object{
		"apiVersion": "v1", "kind": "Service",
		"metadata": map[string]any{"name": ref.Name, "namespace": ref.Namespace},
		"spec":     map[string]any{"ports": []any{map[string]any{"port": int64(80)}}},
	}
}
