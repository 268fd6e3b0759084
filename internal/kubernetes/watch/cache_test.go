package watch

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

func state(uid, version, more string) sluice.Object {
	return sluice.Object{"metadata": map[string]any{"name": "n" + uid, "namespace": "shop", "uid": uid,
		"resourceVersion": version}, "more": more}
}

// told returns what the watcher would be told now, as uid:more, with a ! for what is gone.
func toldOf(t *testing.T, w *listener) []string {
	t.Helper()
	list, err := w.take()
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, o := range list {
		word := o.Text("metadata", "uid") + ":" + o.Text("more")
		if o.Text("metadata", "deletionTimestamp") != "" {
			word += "!"
		}
		words = append(words, word)
	}
	return words
}

func TestCache(t *testing.T) {
	p := newCache()
	w := p.join(sluice.Ref{})
	expect := func(what string, want ...string) {
		t.Helper()
		if d := cmp.Diff(want, toldOf(t, w)); d != "" {
			t.Errorf("%s: -want +got\n%s", what, d)
		}
	}
	p.set(state("a", "5", "written before the list was there"))
	expect("before the first list")
	p.replace([]sluice.Object{state("a", "3", "listed")}, "4")
	expect("the first list is older than the write", "a:written before the list was there")
	p.set(state("a", "3", "late"))
	p.set(state("a", "5", "again"))
	expect("what is known already")
	p.set(state("a", "6", "x"))
	p.set(state("b", "7", "y"))
	p.set(state("a", "8", "z"))
	expect("a slow watcher is told the last states", "a:z", "b:y")
	second := p.join(sluice.Ref{})
	if got := toldOf(t, second); len(got) != 2 {
		t.Errorf("one that comes later is told %v", got)
	}
	ending := state("b", "9", "ends")
	ending.Set("2024-01-01T00:00:00Z", "metadata", "deletionTimestamp")
	p.set(ending)
	expect("what is being deleted is not gone")
	p.remove(state("b", "10", "gone"))
	p.remove(state("b", "10", "gone"))
	expect("it is told of once when it is gone", "b:gone!")
	p.markGone("a")
	p.remove(state("a", "8", "z"))
	p.set(state("a", "11", "from the past"))
	p.remove(state("a", "12", "gone"))
	expect("what was deleted here does not come back", "a:z!")
	p.replace([]sluice.Object{state("c", "13", "listed again")}, "13")
	p.set(state("d", "20", "new"))
	p.replace(nil, "15")
	expect("a later list tells what is gone, but not what is newer", "c:listed again!", "d:new")
	p.fail(sluice.Errorf(sluice.Unavailable, "away"))
	if _, err := w.next(t.Context()); sluice.ErrorCode(err) != sluice.Unavailable {
		t.Errorf("it ends with %v", err)
	}
}

func TestCacheWakesOnlyWhoFollows(t *testing.T) {
	p := newCache()
	p.replace([]sluice.Object{state("a", "1", "x"), state("b", "1", "x")}, "1")
	w := p.join(sluice.Ref{Name: "na"})
	if d := cmp.Diff([]string{"a:x"}, toldOf(t, w)); d != "" {
		t.Error(d)
	}
	<-w.wake
	p.set(state("b", "2", "y"))
	select {
	case <-w.wake:
		t.Error("it is woken for another object")
	default:
	}
	p.leave(w)
	if len(p.named) != 0 || len(p.listeners) != 0 {
		t.Errorf("left behind: %v %v", p.named, p.listeners)
	}
}

// Every watcher is told each object's last state, however many there are and however fast it changes.
func TestCacheManyWatchers(t *testing.T) {
	p := newCache()
	p.replace(nil, "0")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const last = 500
	var all sync.WaitGroup
	for range 20 {
		w := p.join(sluice.Ref{})
		all.Go(func() {
			defer p.leave(w)
			for {
				list, err := w.next(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				for _, o := range list {
					if o.Text("more") == fmt.Sprint(last) {
						return
					}
				}
			}
		})
	}
	for i := 1; i <= last; i++ {
		p.mu.Lock()
		p.set(state("a", fmt.Sprint(i), fmt.Sprint(i)))
		p.mu.Unlock()
	}
	all.Wait()
}

// A listener to one object is told once if that does not exist, as soon as all objects are known.
func TestCacheTellsAbsence(t *testing.T) {
	named := sluice.Ref{APIVersion: "v1", Kind: "ConfigMap", Name: "na", Namespace: "shop"}
	expect := func(w *listener, what string, want ...string) {
		t.Helper()
		if d := cmp.Diff(want, toldOf(t, w)); d != "" {
			t.Errorf("%s: -want +got\n%s", what, d)
		}
	}
	p := newCache()
	w := p.join(named)
	expect(w, "before the first list")
	p.replace([]sluice.Object{state("b", "1", "x")}, "1")
	expect(w, "it is not in the list", ":!")
	expect(p.join(named), "a later listener", ":!")
	late := p.join(named)
	p.set(state("a", "2", "x"))
	expect(late, "it came before anybody took its absence", "a:x")
	expect(w, "it came", "a:x")
	ending := state("a", "3", "x")
	ending.Set("2024-01-01T00:00:00Z", "metadata", "deletionTimestamp")
	p.set(ending)
	w = p.join(named)
	expect(w, "it is being deleted, and is told of when it is gone")
	p.remove(state("a", "4", "last"))
	expect(w, "it is gone", "a:last!")
}
