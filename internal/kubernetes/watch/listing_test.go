package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
	"github.com/sluice-cd/sluice/internal/kubernetes/pod"
)

// A world is an API server with pods. Every write has a version. Its watches are late, break and forget.
type world struct {
	mu     sync.Mutex
	states []map[string]int // by version: the version of each pod
	events []string         // by version: what a watch tells
	shown  int              // up to which version the watches tell
	moved  chan struct{}    // closed when a watch may have something to do
	broken int              // how many times watches were broken
	forgot int              // the version before which everything is forgotten
	denied bool             // the right to watch
	lists  atomic.Int32
}

func newWorld() *world {
	return &world{states: []map[string]int{{}}, events: []string{""}, moved: make(chan struct{})}
}

func (w *world) serve(t *testing.T) *client.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("watch") == "" {
			w.list(out)
			return
		}
		from, err := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
		if err != nil {
			t.Error(err)
		}
		w.watch(out, r, from)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	c, err := client.New("test", &rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func podAt(name string, version int) string {
	return fmt.Sprintf(`{"metadata":{"name":%q,"namespace":"shop","uid":%[1]q,"resourceVersion":"%d"}}`, name, version)
}

func (w *world) list(out http.ResponseWriter) {
	w.lists.Add(1)
	w.mu.Lock()
	version := len(w.states) - 1
	var items []string
	for name, v := range w.states[version] {
		items = append(items, podAt(name, v))
	}
	moved := w.moved
	w.mu.Unlock()
	select { // meanwhile a watch may tell more
	case <-moved:
	case <-time.After(time.Millisecond):
	}
	fmt.Fprintf(out, `{"metadata":{"resourceVersion":"%d"},"items":[%s]}`, version, strings.Join(items, ","))
}

func (w *world) watch(out http.ResponseWriter, r *http.Request, from int) {
	w.mu.Lock()
	broken, isDenied := w.broken, w.denied
	w.mu.Unlock()
	if isDenied {
		out.WriteHeader(http.StatusForbidden)
		fmt.Fprint(out, denied)
		return
	}
	out.WriteHeader(http.StatusOK)
	for at := from; ; {
		w.mu.Lock()
		isBroken, isForgotten, moved := w.broken > broken, at < w.forgot, w.moved
		told := slices.Clone(w.events[at+1 : max(at+1, w.shown+1)])
		w.mu.Unlock()
		if isBroken {
			return
		}
		if isForgotten {
			fmt.Fprint(out, expired)
			return
		}
		fmt.Fprint(out, strings.Join(told, "\n"))
		out.(http.Flusher).Flush()
		at += len(told)
		select {
		case <-moved:
		case <-r.Context().Done():
			return
		}
	}
}

// write changes one pod, and perhaps lets the watches go on, breaks them or forgets.
func (w *world) write(random *rand.Rand) {
	w.mu.Lock()
	defer w.mu.Unlock()
	version := len(w.states)
	next, name := maps.Clone(w.states[version-1]), fmt.Sprint("p", random.IntN(5))
	_, exists := next[name]
	kind := "MODIFIED"
	next[name] = version
	if exists && random.IntN(3) == 0 {
		kind = "DELETED"
		delete(next, name)
	}
	event, err := json.Marshal(map[string]any{"type": kind, "object": json.RawMessage(podAt(name, version))})
	if err != nil {
		panic(err)
	}
	w.states, w.events = append(w.states, next), append(w.events, string(event))
	if random.IntN(3) > 0 {
		w.shown = version
	}
	switch random.IntN(20) {
	case 0:
		w.broken++
	case 1:
		w.forgot = version
	}
	close(w.moved)
	w.moved = make(chan struct{})
}

func (w *world) version() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.states) - 1
}

// since reports whether the pods are those of the version or of a later one.
func (w *world) since(version int, pods []*pod.Pod) bool {
	got := map[string]int{}
	for _, p := range pods {
		got[p.Metadata.Name] = int(numeric(p.Metadata.ResourceVersion))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.states[version:], func(state map[string]int) bool { return maps.Equal(state, got) })
}

// A mirror follows a listing. Whatever it is told, it has the pods of one moment.
type mirror struct {
	*testing.T
	world *world
	pods  map[string]*pod.Pod
}

func (m *mirror) replace(items []pod.Pod, _ string) {
	m.pods = map[string]*pod.Pod{}
	for i := range items {
		m.pods[items[i].Metadata.Name] = &items[i]
	}
	m.check("a list")
}

func (m *mirror) set(p pod.Pod) {
	m.pods[p.Metadata.Name] = &p
	m.check("a change")
}

func (m *mirror) drop(p pod.Pod) {
	delete(m.pods, p.Metadata.Name)
	m.check("an end")
}

func (m *mirror) check(what string) {
	if !m.world.since(0, slices.Collect(maps.Values(m.pods))) {
		m.Errorf("after %s it follows no moment", what)
	}
}

func (w *world) pods(t *testing.T) *listing[pod.Pod] {
	l := newLists(w.serve(t), "shop").pods
	t.Cleanup(l.close)
	return l
}

// Whatever the watches do, a list has exactly the pods of one moment, which is not before what the caller knows of. Who
// follows has the pods of one moment, too.
func TestListingIsAsNewAsItsCallerNeeds(t *testing.T) {
	for seed := range uint64(10) {
		w := newWorld()
		l := w.pods(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		follows, stop := context.WithCancel(ctx)
		var all, followers sync.WaitGroup
		followers.Go(func() {
			m := &mirror{T: t, world: w}
			for follows.Err() == nil { // the API server may be away for long
				_ = l.follow(follows, m)
			}
		})
		for reader := range uint64(4) {
			all.Go(func() {
				random := rand.New(rand.NewPCG(seed, reader))
				for range 60 {
					w.write(random)
					version := w.version()
					if random.IntN(10) == 0 {
						l.position().expire()
					}
					pods, err := l.list(ctx, uint64(version))
					if err != nil || !w.since(version, pods) {
						t.Errorf("seed %d: the list is from before version %d, or of no moment: %v", seed, version, err)
						return
					}
				}
			})
		}
		all.Wait()
		stop()
		followers.Wait()
	}
}

// Who lists again and again costs one list and one watch, until something happens of which no version is known.
func TestListingIsShared(t *testing.T) {
	w := newWorld()
	l := w.pods(t)
	for range 10 {
		if _, err := l.list(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.lists.Load(); n != 2 { // the second one begins the watch
		t.Errorf("%d lists", n)
	}
	l.position().expire()
	for range 2 {
		if _, err := l.list(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.lists.Load(); n != 3 {
		t.Errorf("%d lists after something ended", n)
	}
}

// Without the right to watch, every list is a request.
func TestListingWithoutTheRightToWatch(t *testing.T) {
	w := newWorld()
	w.denied = true
	l := w.pods(t)
	random := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		w.write(random)
		version := w.version()
		if pods, err := l.list(t.Context(), uint64(version)); err != nil || !w.since(version, pods) {
			t.Fatalf("%d pods, %v", len(pods), err)
		}
	}
}

// A list ends with its caller, and with the API server's refusal.
func TestListingEnds(t *testing.T) {
	l := newLists(script{{"list", 403, denied}}.serve(t), "shop").pods
	if _, err := l.list(t.Context(), 0); sluice.ErrorCode(err) != sluice.Denied {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newWorld().pods(t).list(ctx, 0); ctx.Err() != err {
		t.Error(err)
	}
}
