// Package load sends orders to a shop at a fixed rate, even if the shop is too slow, and remembers every confirmed
// order. It imports only the shop's nouns. Start reading at [Generator].
package load

import (
	"context"
	"maps"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// A Generator is a crowd of customers. It runs from Start to Stop and returns its figures at any time.
type Generator struct {
	URL    string // of the shop
	Rate   int    // requests a second
	Prefix string // of the ids of its orders
	// Connect opens a connection for each request: the Services of a cluster divide connections, not requests.
	Connect bool

	client *http.Client
	stop   context.CancelFunc
	crowd  sync.WaitGroup

	mu       sync.Mutex
	next     int
	figures  Figures
	promised map[string]time.Time
	recent   []string
}

// Figures are what a Generator has seen.
type Figures struct {
	Total    int                  // finished requests
	Failed   int                  // finished requests without the right answer
	Slowest  time.Duration        // of all answers
	Releases map[string]int       // answers by release
	Last     map[string]time.Time // when the last request that each release answered was sent
	Faults   []Fault              // the failed ones, oldest first
	Promised map[string]time.Time // accepted orders, and when
}

// A Fault is one failed request.
type Fault struct {
	At      time.Time
	Release string
	What    string
}

// inFlight bounds the open requests. An order beyond that counts as failed, because a customer would have left.
const inFlight = 2048

// patience is how long a customer waits for an answer.
const patience = 30 * time.Second

// Start starts to send. It must not be called twice.
func (g *Generator) Start() {
	transport := &http.Transport{
		MaxIdleConns: inFlight, MaxIdleConnsPerHost: inFlight, IdleConnTimeout: time.Minute, DisableKeepAlives: g.Connect,
	}
	g.client = &http.Client{Transport: transport, Timeout: patience}
	g.promised = map[string]time.Time{}
	g.figures = Figures{Releases: map[string]int{}, Last: map[string]time.Time{}}
	ctx, cancel := context.WithCancel(context.Background())
	g.stop = cancel
	g.crowd.Go(func() { g.send(ctx) })
}

// Stop ends the sending and waits for the open answers.
func (g *Generator) Stop() Figures {
	g.stop()
	g.crowd.Wait()
	g.client.CloseIdleConnections()
	return g.Figures()
}

// Figures returns the figures so far.
func (g *Generator) Figures() Figures {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.figures
	f.Releases = maps.Clone(f.Releases)
	f.Last = maps.Clone(f.Last)
	f.Faults = append([]Fault(nil), f.Faults...)
	f.Promised = maps.Clone(g.promised)
	return f
}

// send starts one request a tick, whether or not earlier ones are answered, so a slow shop gets the same load.
func (g *Generator) send(ctx context.Context) {
	tick := time.NewTicker(time.Second / time.Duration(g.Rate))
	defer tick.Stop()
	places := make(chan struct{}, inFlight)
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		visit := g.plan(random)
		select {
		case places <- struct{}{}:
			g.crowd.Go(func() {
				g.record(visit())
				<-places
			})
		default:
			g.record(outcome{sent: time.Now(), fault: "too many requests wait for their answers"})
		}
	}
}
