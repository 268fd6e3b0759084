package csi

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

// A state is what the storage has still to do.
type state struct {
	waits string // for what; "": for nothing more
	fault string // what it reports, "" for nothing
}

// How often to look.
const (
	firstLook = 50 * time.Millisecond
	lastLook  = 2 * time.Second
)

// wait looks until there is nothing more to wait for. A storage that is full is Exhausted, one that does not get on is
// Failed.
func (m *Mover) wait(ctx context.Context, look func() (state, error)) error {
	began := time.Now()
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		s, err := look()
		if err != nil || s.waits == "" {
			return err
		}
		spent := time.Since(began)
		if spent > patience || s.fault != "" && spent > m.failing {
			return late(s, spent)
		}
		select {
		case <-ctx.Done():
			return sluice.Errorf(sluice.Cancelled, "waiting for %s was interrupted: %w", s.waits, ctx.Err())
		case <-time.After(pause):
		}
	}
}

func late(s state, spent time.Duration) error {
	code, text := sluice.Failed, "the storage reports nothing"
	if s.fault != "" {
		text = "the storage reports: " + s.fault
	}
	if strings.Contains(s.fault, "ResourceExhausted") {
		code = sluice.Exhausted
	}
	return sluice.Errorf(code, "%s was waited for %s; %s", s.waits, spent.Round(time.Second), text)
}

// fill returns when the storage has made every volume. Where it waits for a pod, it gets one.
func (m *Mover) fill(ctx context.Context, t sluice.Transfer) error {
	mounted := false
	err := m.wait(ctx, func() (s state, err error) {
		for _, v := range t.Volumes {
			claim, err := t.Place.Account.Get(ctx, claimRef(v))
			if err != nil {
				return s, err
			}
			if claim.Text("status", "phase") == "Bound" {
				continue
			}
			waits, err := m.waitsForPod(ctx, t.Place, claim)
			if err != nil {
				return s, err
			}
			if waits {
				mounted = true
				return state{waits: "a pod that mounts the claim " + v.Claim}, m.pods.Mount(ctx, t)
			}
			return m.making(ctx, t.Place, v)
		}
		return s, nil
	})
	if err != nil || !mounted {
		return err
	}
	return m.pods.End(ctx, t)
}

func claimRef(v sluice.Volume) sluice.Ref {
	return sluice.Ref{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: v.Namespace, Name: v.Mount}
}

// waitsForPod reports whether the claim's volume is only made when a pod is placed that mounts it.
func (m *Mover) waitsForPod(ctx context.Context, at sluice.Place, claim sluice.Object) (bool, error) {
	if claim.Text("metadata", "annotations", "volume.kubernetes.io/selected-node") != "" {
		return false, nil
	}
	class, err := at.Account.Get(ctx, sluice.Ref{APIVersion: "storage.k8s.io/v1", Kind: "StorageClass",
		Name: claim.Text("spec", "storageClassName")})
	if sluice.ErrorCode(err) == sluice.NotFound {
		return false, nil
	}
	return class.Text("volumeBindingMode") == "WaitForFirstConsumer", err
}

// making says what is known of a volume that the storage still makes.
func (m *Mover) making(ctx context.Context, at sluice.Place, v sluice.Volume) (state, error) {
	s := state{waits: "the volume of the claim " + v.Claim + " in " + v.Namespace}
	events, err := at.Account.List(ctx, "v1", "Event", v.Namespace)
	if err != nil {
		return s, nil // the cluster only says less
	}
	for _, e := range slices.Backward(events) {
		if e.Text("type") == "Warning" && e.Text("involvedObject", "name") == v.Mount {
			s.fault = e.Text("message")
			break
		}
	}
	return s, nil
}
