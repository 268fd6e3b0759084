package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/examples/shop"
)

// An outcome is the result of one request.
type outcome struct {
	sent     time.Time
	took     time.Duration
	release  string
	promised string // the accepted order
	fault    string // why the answer is wrong
}

// plan decides what the next customer does: three of four place an order, the others read one.
func (g *Generator) plan(random *rand.Rand) func() outcome {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next++
	if g.next%4 == 0 && len(g.recent) > 0 {
		id := g.recent[random.IntN(len(g.recent))]
		return func() outcome { return g.look(id) }
	}
	o := shop.Invent(random, fmt.Sprintf("%s-%06d", g.Prefix, g.next))
	return func() outcome { return g.place(o) }
}

func (g *Generator) place(o shop.Order) outcome {
	body, err := json.Marshal(o)
	if err != nil {
		return outcome{sent: time.Now(), fault: err.Error()}
	}
	out := g.call(http.MethodPost, g.URL+"/orders", body, http.StatusCreated)
	if out.fault == "" {
		out.promised = o.ID
	}
	return out
}

func (g *Generator) look(id string) outcome {
	out := g.call(http.MethodGet, g.URL+"/orders/"+id, nil, http.StatusOK)
	if out.fault != "" {
		out.fault = "look up " + id + ": " + out.fault
	}
	return out
}

func (g *Generator) call(method, url string, body []byte, want int) outcome {
	out := outcome{sent: time.Now()}
	request, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		out.fault = err.Error()
		return out
	}
	response, err := g.client.Do(request)
	if err != nil {
		out.fault = err.Error()
		return out
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	out.took = time.Since(out.sent)
	out.release = response.Header.Get("X-Release")
	switch {
	case err != nil:
		out.fault = err.Error()
	case response.StatusCode != want:
		out.fault = response.Status + ": " + strings.TrimSpace(string(text[:min(len(text), 200)]))
	}
	return out
}

// keepRecent bounds the orders that customers read again.
const keepRecent = 500

func (g *Generator) record(out outcome) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := &g.figures
	f.Total++
	f.Slowest = max(f.Slowest, out.took)
	if out.release != "" {
		f.Releases[out.release]++
		if out.sent.After(f.Last[out.release]) {
			f.Last[out.release] = out.sent
		}
	}
	if out.fault != "" {
		f.Failed++
		f.Faults = append(f.Faults, Fault{At: out.sent.Add(out.took), Release: out.release, What: out.fault})
	}
	if out.promised == "" {
		return
	}
	g.promised[out.promised] = out.sent.Add(out.took)
	g.recent = append(g.recent, out.promised)
	if len(g.recent) > keepRecent {
		g.recent = g.recent[1:]
	}
}
