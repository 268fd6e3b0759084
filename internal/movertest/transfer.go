package movertest

import (
	"context"
	"fmt"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover"
)

// place is the place of the suite's volumes. Its account has no abilities: directories of this machine need none.
var place = sluice.Place{Name: "here", Namespace: "n"}

// transfer describes work on volumes in these directories.
func transfer(kind sluice.TransferKind, id string, dirs ...string) sluice.Transfer {
	t := sluice.Transfer{Kind: kind, ID: id, Place: place}
	for i, dir := range dirs {
		v := sluice.Volume{Namespace: place.Namespace, Claim: fmt.Sprintf("claim-%d", i), Generation: "g", Dir: dir}
		t.Volumes = append(t.Volumes, v)
	}
	return t
}

func copyOf(t *testing.T, m sluice.Mover, id string, dirs ...string) sluice.Copy {
	t.Helper()
	c, err := mover.Run(t.Context(), m, transfer(sluice.TransferCopy, id, dirs...), nil)
	must(t, err)
	return c
}

func restore(ctx context.Context, m sluice.Mover, c sluice.Copy, dirs ...string) error {
	return reporting(ctx, m, c, nil, dirs...)
}

func reporting(ctx context.Context, m sluice.Mover, c sluice.Copy, report func(sluice.Amount), dirs ...string) error {
	work := transfer(sluice.TransferRestore, "r-1", dirs...)
	work.Copy = c
	_, err := mover.Run(ctx, m, work, report)
	return err
}

func verify(ctx context.Context, m sluice.Mover, c sluice.Copy) error {
	work := transfer(sluice.TransferVerify, "v-1")
	work.Copy = c
	_, err := mover.Run(ctx, m, work, nil)
	return err
}

// interrupted runs the transfer until more than this many bytes are done. Then ctx ends, as it does with a process. It
// reports whether the transfer was interrupted: on a busy machine it can be over before anybody follows it.
func interrupted(t *testing.T, m sluice.Mover, work sluice.Transfer, after int64) bool {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := mover.Run(ctx, m, work, func(a sluice.Amount) {
		if a.Done > after {
			cancel()
		}
	})
	if err == nil {
		t.Logf("the %s was over before it was interrupted", work.Kind)
	}
	return err != nil
}

// isAbsent fails the test unless the transfer is neither under way nor done.
func isAbsent(t *testing.T, m sluice.Mover, work sluice.Transfer) {
	t.Helper()
	if c, done, err := m.Find(t.Context(), work); sluice.ErrorCode(err) != sluice.NotFound {
		t.Errorf("the %s %s is found: %+v, %t, %v", work.Kind, work.ID, c, done, err)
	}
}
