package load_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/sluice-cd/sluice/examples/shop"
	"github.com/sluice-cd/sluice/examples/shop/load"
)

// A counter is a shop that refuses every tenth order and remembers the others.
type counter struct {
	mu     sync.Mutex
	orders map[string]bool
	asked  int
	served chan struct{}
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	if c.asked == 200 {
		close(c.served)
	}
	w.Header().Set("X-Release", "9.9")
	if r.Method == http.MethodGet {
		return
	}
	var o shop.Order
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil || c.asked%10 == 0 {
		http.Error(w, "no", http.StatusInternalServerError)
		return
	}
	c.orders[o.ID] = true
	w.WriteHeader(http.StatusCreated)
}

func TestGeneratorRemembersExactlyWhatItWasPromised(t *testing.T) {
	c := &counter{orders: map[string]bool{}, served: make(chan struct{})}
	server := httptest.NewServer(c)
	defer server.Close()
	g := &load.Generator{URL: server.URL, Rate: 500, Prefix: "t"}
	g.Start()
	<-c.served
	f := g.Stop()

	if f.Total != c.asked {
		t.Errorf("counted %d requests, the server %d", f.Total, c.asked)
	}
	if f.Failed != len(f.Faults) || f.Failed == 0 {
		t.Errorf("%d failed, with %d faults", f.Failed, len(f.Faults))
	}
	if len(f.Promised) != len(c.orders) {
		t.Errorf("%d promised, the server took %d", len(f.Promised), len(c.orders))
	}
	for id := range f.Promised {
		if !c.orders[id] {
			t.Errorf("%s was never taken", id)
		}
	}
	if f.Releases["9.9"] != c.asked || f.Last["9.9"].IsZero() {
		t.Errorf("releases %v, last %v", f.Releases, f.Last)
	}
}

func TestGeneratorCountsAShopThatHangsUp(t *testing.T) {
	asked := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		select {
		case asked <- struct{}{}:
		default:
		}
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	g := &load.Generator{URL: server.URL, Rate: 500, Prefix: "t"}
	g.Start()
	<-asked
	f := g.Stop()
	if f.Total == 0 || f.Failed != f.Total || len(f.Promised) != 0 {
		t.Errorf("%d of %d failed, %d promised", f.Failed, f.Total, len(f.Promised))
	}
}
