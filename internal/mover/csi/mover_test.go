package csi_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover/csi"
)

// A storage keeps snapshots, makes volumes and runs pods. It is its own account.
type storage struct {
	sluice.ClusterReader
	kept    map[string][]sluice.Snapshot
	ready   time.Time // when snapshots are ready and volumes are made
	fault   string    // what it reports until then
	waits   bool      // volumes are made for pods only
	mounted bool
	ended   int
}

func (s *storage) place() sluice.Place {
	return sluice.Place{Name: "cluster", Namespace: "shop",
		Account: sluice.Account{ClusterReader: s, Snapshots: s}}
}

func (s *storage) Keep(_ context.Context, id string, volumes []sluice.Volume) error {
	for _, v := range volumes[len(s.kept[id]):] {
		s.kept[id] = append(s.kept[id], sluice.Snapshot{Name: id + "-" + v.Claim, Claim: v.Claim, Size: 10})
	}
	return nil
}

func (s *storage) seen(k sluice.Snapshot) sluice.Snapshot {
	if k.Ready = !time.Now().Before(s.ready); !k.Ready {
		k.Reason = s.fault
	}
	return k
}

func (s *storage) Kept(_ context.Context, id string) (list []sluice.Snapshot, err error) {
	if s.kept[id] == nil {
		return nil, sluice.Errorf(sluice.NotFound, "nothing is kept as %s", id)
	}
	for _, k := range s.kept[id] {
		list = append(list, s.seen(k))
	}
	return list, nil
}

func (s *storage) Look(_ context.Context, name string) (sluice.Snapshot, error) {
	for _, list := range s.kept {
		for _, k := range list {
			if k.Name == name {
				return s.seen(k), nil
			}
		}
	}
	return sluice.Snapshot{}, sluice.Errorf(sluice.NotFound, "there is no %s", name)
}

func (s *storage) Drop(_ context.Context, id string) error {
	delete(s.kept, id)
	return nil
}

func (s *storage) Get(_ context.Context, ref sluice.Ref) (sluice.Object, error) {
	o := sluice.Object{}
	if ref.Kind == "StorageClass" {
		o.Set(map[bool]string{true: "WaitForFirstConsumer", false: "Immediate"}[s.waits], "volumeBindingMode")
		return o, nil
	}
	if !time.Now().Before(s.ready) && (!s.waits || s.mounted) {
		o.Set("Bound", "status", "phase")
	}
	return o, nil
}

func (s *storage) List(_ context.Context, _, kind, _ string) ([]sluice.Object, error) {
	if kind != "Event" || s.fault == "" {
		return nil, nil
	}
	of := map[string]any{"name": volume.Mount}
	return []sluice.Object{{"type": "Warning", "message": s.fault, "involvedObject": of}}, nil
}

func (s *storage) Mount(context.Context, sluice.Transfer) error {
	s.mounted = true
	return nil
}

func (s *storage) End(context.Context, sluice.Transfer) error {
	s.ended++
	return nil
}

var volume = sluice.Volume{Namespace: "shop", Claim: "data", Generation: "next", Mount: "data-next"}

func run(t *testing.T, s *storage, kind sluice.TransferKind, c sluice.Copy) (sluice.Copy, error) {
	t.Helper()
	m := csi.New(s)
	work := sluice.Transfer{Kind: kind, ID: "d-1", Place: s.place(), Volumes: []sluice.Volume{volume}, Copy: c}
	for range 2 {
		if err := m.Begin(t.Context(), work); err != nil {
			t.Fatal(err)
		}
	}
	return m.Follow(t.Context(), work, nil)
}

func TestThereAndBack(t *testing.T) {
	for name, waits := range map[string]bool{"volumes are made at once": false, "volumes are made for pods": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &storage{kept: map[string][]sluice.Snapshot{}, waits: waits, ready: time.Now().Add(10 * time.Minute)}
				c, err := run(t, s, sluice.TransferCopy, sluice.Copy{})
				want := sluice.Copy{Mover: "csi", Snapshots: []string{"d-1-data"}, Claims: []string{"data"}, Bytes: 10}
				if diff := cmp.Diff(want, c); diff != "" || err != nil {
					t.Fatalf("the copy: %v %s", err, diff)
				}
				work := sluice.Transfer{Kind: sluice.TransferCopy, ID: "d-1", Place: s.place()}
				found, done, err := csi.New(s).Find(t.Context(), work)
				if diff := cmp.Diff(want, found); diff != "" || !done || err != nil {
					t.Errorf("found: %v %s", err, diff)
				}
				s.ready = time.Now().Add(10 * time.Minute)
				if _, err := run(t, s, sluice.TransferRestore, c); err != nil || s.mounted != waits || (s.ended > 0) != waits {
					t.Errorf("restored with a pod: %t, which was ended %d times: %v", s.mounted, s.ended, err)
				}
				if _, err := run(t, s, sluice.TransferVerify, c); err != nil {
					t.Error(err)
				}
				if err := csi.New(s).Delete(t.Context(), s.place(), "d-1"); err != nil || len(s.kept) > 0 {
					t.Errorf("%v are kept: %v", s.kept, err)
				}
				if _, err := run(t, s, sluice.TransferVerify, c); sluice.ErrorCode(err) != sluice.Failed {
					t.Errorf("a copy that is gone: %v", err)
				}
			})
		})
	}
}

// A storage that reports an error may get over it. One that does not is given up, in its own words.
func TestAStorageThatDoesNotGetOn(t *testing.T) {
	for name, c := range map[string]struct {
		fault string
		takes time.Duration
		code  sluice.Code
	}{
		"it gets over it":        {"try again", time.Minute, ""},
		"it is slow":             {"", 50 * time.Minute, ""},
		"it is full":             {"rpc error: code = ResourceExhausted", 10 * time.Hour, sluice.Exhausted},
		"it refuses":             {"too small", 10 * time.Hour, sluice.Failed},
		"it never says anything": {"", 10 * time.Hour, sluice.Failed},
	} {
		for _, kind := range []sluice.TransferKind{sluice.TransferCopy, sluice.TransferRestore} {
			t.Run(name+" in a "+string(kind), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &storage{kept: map[string][]sluice.Snapshot{}, fault: c.fault, ready: time.Now().Add(c.takes)}
					_, err := run(t, s, kind, sluice.Copy{})
					if c.code == "" && err != nil || c.code != "" && (sluice.ErrorCode(err) != c.code ||
						!strings.Contains(err.Error(), c.fault)) {
						t.Errorf("%v (%s)", err, sluice.ErrorCode(err))
					}
				})
			})
		}
	}
}

// An account without snapshots has nothing to cancel, and cannot be asked for anything else.
func TestAnAccountWithoutSnapshots(t *testing.T) {
	m, at := csi.New(&storage{}), sluice.Place{Name: "here"}
	work := sluice.Transfer{Kind: sluice.TransferCopy, ID: "d-1", Place: at}
	if err := m.Cancel(t.Context(), work); err != nil {
		t.Error(err)
	}
	_, _, found := m.Find(t.Context(), work)
	for _, err := range []error{m.Begin(t.Context(), work), m.Delete(t.Context(), at, "d-1"), found} {
		if sluice.ErrorCode(err) != sluice.Unsupported || !strings.Contains(err.Error(), "here") {
			t.Errorf("%v", err)
		}
	}
}

func TestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &storage{kept: map[string][]sluice.Snapshot{}, ready: time.Now().Add(time.Hour)}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := csi.New(s).Follow(ctx, sluice.Transfer{Kind: sluice.TransferRestore, Place: s.place(),
			Volumes: []sluice.Volume{volume}}, nil)
		if sluice.ErrorCode(err) != sluice.Cancelled {
			t.Errorf("%v", err)
		}
	})
}
