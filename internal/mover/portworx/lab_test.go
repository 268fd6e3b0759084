package portworx_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover/portworx"
	"github.com/sluice-cd/sluice/internal/steptest"
)

const stork = "stork.libopenstorage.org"

// A lab is production, whose claims orders and journal are to be moved, and staging, which has a claim orders of its
// own. Both run in a bubble of synctest. A script plays Stork.
type lab struct {
	*testing.T
	prod, stage *steptest.Account
	move        sluice.Move
	said        []string // what Run reported
	amounts     []sluice.Amount
}

func newLab(t *testing.T, labels map[string]any) *lab {
	l := &lab{T: t}
	l.prod = steptest.NewAccount(
		claimIn("orders", "pv-orders", "px", labels), claimIn("journal", "pv-journal", "px", labels),
		claimIn("other", "pv-other", "px", map[string]any{"app": "shop"}), pairWith("Ready", "Ready"))
	l.prod.Serve(stork+"/v1alpha1", "Migration")
	l.prod.Serve("v1", "Event")
	l.stage = steptest.NewAccount(claimIn("orders", "pv-old", "kubectl-create", nil), volumeFor("pv-old", "Delete"))
	uid := l.get(l.stage, claim("orders")).Text("metadata", "uid")
	l.stage.Amend(volume("pv-old"), func(o sluice.Object) {
		o.Set(uid, "spec", "claimRef", "uid")
		o.Set("Bound", "status", "phase")
	})
	l.move = sluice.Move{
		ID: "abc", From: sluice.Place{Name: "prod", Account: l.prod.Abilities(), Namespace: "shop"},
		To:     sluice.Place{Name: "stage", Account: l.stage.Abilities(), Namespace: "shop"},
		Claims: []string{"orders", "journal"}, Portworx: sluice.Portworx{ClusterPair: "stage"},
		Stop: func(context.Context) error { return nil },
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go l.reclaim(ctx)
	return l
}

func claimIn(name, pv, manager string, labels map[string]any) sluice.Object {
	o := sluice.Object{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim",
		"metadata": map[string]any{"namespace": "shop", "name": name,
			"annotations":   map[string]any{"pv.kubernetes.io/bind-completed": "yes", "team": "blue"},
			"managedFields": []any{map[string]any{"manager": manager}}},
		"spec": map[string]any{"volumeName": pv, "storageClassName": "px-db"},
	}
	if labels != nil {
		o.Set(labels, "metadata", "labels")
	}
	return o
}

func volumeFor(name, policy string) sluice.Object {
	return sluice.Object{
		"apiVersion": "v1", "kind": "PersistentVolume",
		"metadata": map[string]any{"name": name, "managedFields": []any{map[string]any{"manager": "provisioner"}}},
		"spec": map[string]any{"persistentVolumeReclaimPolicy": policy, "claimRef": map[string]any{
			"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "shop", "name": "orders", "uid": ""}},
	}
}

func pairWith(scheduler, storage string) sluice.Object {
	return sluice.Object{
		"apiVersion": stork + "/v1alpha1", "kind": "ClusterPair",
		"metadata": map[string]any{"namespace": "shop", "name": "stage"},
		"status":   map[string]any{"schedulerStatus": scheduler, "storageStatus": storage},
	}
}

func claim(name string) sluice.Ref {
	return sluice.Ref{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: "shop", Name: name}
}

func volume(name string) sluice.Ref {
	return sluice.Ref{APIVersion: "v1", Kind: "PersistentVolume", Name: name}
}

func migration() sluice.Ref {
	return sluice.Ref{APIVersion: stork + "/v1alpha1", Kind: "Migration", Namespace: "shop", Name: "sluice-abc"}
}

// get returns nil for what does not exist.
func (l *lab) get(a *steptest.Account, ref sluice.Ref) sluice.Object {
	o, err := a.Get(l.Context(), ref)
	if err != nil {
		return nil
	}
	return o
}

// reclaim binds volumes to claims and removes those without a claim, as the controllers of staging do.
func (l *lab) reclaim(ctx context.Context) {
	changed := make(chan struct{}, 1)
	l.stage.AfterWrite(func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
		all, err := l.stage.List(ctx, "v1", "PersistentVolume", "")
		if err != nil {
			continue
		}
		for _, v := range all {
			l.settle(ctx, v)
		}
	}
}

func (l *lab) settle(ctx context.Context, v sluice.Object) {
	user := l.get(l.stage, claim(v.Text("spec", "claimRef", "name")))
	if user.Text("spec", "volumeName") != v.Ref().Name {
		user = nil
	}
	phase, uid := v.Text("status", "phase"), v.Text("spec", "claimRef", "uid")
	switch {
	case user == nil && uid != "" && v.Text("spec", "persistentVolumeReclaimPolicy") == "Delete":
		_ = l.stage.Delete(ctx, v.Ref()) // it is tried again after the next write
	case user == nil && uid != "" && phase != "Released":
		l.stage.Amend(v.Ref(), func(o sluice.Object) { o.Set("Released", "status", "phase") })
	case user != nil && uid == "":
		l.stage.Amend(v.Ref(), func(o sluice.Object) {
			o.Set(user.Text("metadata", "uid"), "spec", "claimRef", "uid")
			o.Set("Bound", "status", "phase")
		})
	}
}

// A tale is what Stork does with the Migration, as time passes.
type tale []func(*lab)

// play runs the tale as soon as the Migration exists.
func (l *lab) play(ctx context.Context, t tale) {
	for o := range l.prod.Follow(ctx, migration()) {
		if o.Field("spec") == nil {
			continue
		}
		for _, act := range t {
			if ctx.Err() != nil || l.get(l.prod, migration()) == nil {
				return
			}
			act(l)
		}
		return
	}
}

func after(d time.Duration, act func(*lab)) func(*lab) {
	return func(l *lab) {
		select {
		case <-time.After(d):
		case <-l.Context().Done():
			return
		}
		if l.get(l.prod, migration()) != nil {
			act(l)
		}
	}
}

// becomes sets stage and status.
func becomes(stage, status string, volumes ...any) func(*lab) {
	return func(l *lab) {
		l.prod.Amend(migration(), func(o sluice.Object) {
			o["status"] = map[string]any{"stage": stage, "status": status, "volumes": volumes}
		})
	}
}

func vol(claim, status, reason string) map[string]any {
	return map[string]any{"namespace": "shop", "persistentVolumeClaim": claim, "volume": "pv-" + claim, "status": status,
		"reason": reason, "bytesTotal": int64(100)}
}

// warns writes the same event again and again, every ten seconds.
func warns(times int, text string) func(*lab) {
	return func(l *lab) {
		for n := 1; n <= times; n++ {
			m := l.get(l.prod, migration())
			if m == nil {
				return
			}
			_, _, err := l.prod.Apply(context.Background(), sluice.Object{
				"apiVersion": "v1", "kind": "Event", "metadata": map[string]any{"namespace": "shop", "name": "sluice-abc.1"},
				"type": "Warning", "message": text, "count": int64(n),
				"involvedObject": map[string]any{"uid": m.Text("metadata", "uid")},
			}, false)
			if err != nil {
				l.Error(err)
			}
			after(10*time.Second, func(*lab) {})(l)
		}
	}
}

// brings creates the claims at staging, with their volumes, as Stork does: with the name of the source's volume.
func brings(names ...string) func(*lab) {
	return func(l *lab) {
		for _, name := range names {
			marks := map[string]any{stork + "/migrationName": "sluice-abc"}
			v := volumeFor("pv-"+name, "Delete")
			v.Set(name, "spec", "claimRef", "name")
			v.Set(marks, "metadata", "annotations")
			c := claimIn(name, "pv-"+name, "stork", nil)
			c.Set(marks, "metadata", "annotations")
			for _, o := range []sluice.Object{v, c} {
				if _, _, err := l.stage.Apply(context.Background(), o, false); err != nil {
					l.Error(err)
				}
			}
		}
	}
}

func (l *lab) migrator() *portworx.Migrator {
	return portworx.New(portworx.Options{Idle: 10 * time.Minute, Overall: time.Hour})
}

func (l *lab) check() sluice.Moving {
	l.Helper()
	was, err := l.migrator().Check(l.Context(), l.move)
	if err != nil {
		l.Fatal(err)
	}
	return was
}

func (l *lab) run(was sluice.Moving) error {
	return l.migrator().Run(l.Context(), l.move, was, func(p sluice.Progress) {
		l.said = append(l.said, p.Message)
		if p.Amount != nil {
			l.amounts = append(l.amounts, *p.Amount)
		}
	})
}

func (l *lab) undo(was sluice.Moving) error {
	if _, err := l.migrator().Cancel(l.Context(), l.move); err != nil {
		return err
	}
	return l.migrator().Undo(l.Context(), l.move, was)
}

var (
	uids  = regexp.MustCompile(`"uid-\d+"`)
	notes = regexp.MustCompile(`\s*"pv.kubernetes.io/bind-completed": "yes",`)
)

// state is everything in both accounts, but for what a cluster adds to each new object.
func (l *lab) state() string {
	synctest.Wait() // the controllers are done
	for _, o := range []string{"sluice-abc.1"} {
		_ = l.prod.Delete(l.Context(), sluice.Ref{APIVersion: "v1", Kind: "Event", Namespace: "shop", Name: o})
	}
	s := fmt.Sprintf("prod:\n%s\nstage:\n%s", l.prod.Snapshot(), l.stage.Snapshot())
	return notes.ReplaceAllString(uids.ReplaceAllString(s, `"uid"`), "")
}

func (l *lab) heard(text string) bool { return strings.Contains(strings.Join(l.said, "\n"), text) }
