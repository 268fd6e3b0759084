package telemetry_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/api"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/server"
	"github.com/sluice-cd/sluice/internal/sqlite"
	"github.com/sluice-cd/sluice/internal/telemetry"
)

// The names that no metric may hold.
const (
	application = "shopfront"
	target      = "frankfurt"
	gate        = sluice.StepID(target + "/before/0")
	secret      = "sluice_t1_hunter2hunter2"
)

// gates are steps of which a pause waits for a person, and everything else is done at once.
type gates struct{ sc sluice.StepContext }

func (gates) New(sc sluice.StepContext) (sluice.Step, error) { return gates{sc}, nil }

func (gates) Check(context.Context) (sluice.Preview, error) { return sluice.Preview{}, nil }

func (g gates) Start(_ context.Context, p sluice.Progress) (sluice.Progress, error) {
	if p.State = sluice.Done; g.sc.Step.Kind == sluice.KindPause {
		p.State = sluice.Waiting
		p.Wait = &sluice.Wait{Signals: []string{sluice.SignalApprove, sluice.SignalReject}}
	}
	return p, nil
}

func (g gates) Observe(_ context.Context, p sluice.Progress) (sluice.Progress, error) {
	for _, s := range p.Signals {
		if s.Kind == sluice.SignalReject {
			return p, sluice.Errorf(sluice.Failed, "rejected: %s", s.Reason)
		}
		p.State, p.Wait = sluice.Done, nil
	}
	return p, nil
}

func (gates) Finish(context.Context, sluice.Progress) error { return nil }
func (gates) Undo(context.Context, sluice.Progress) error   { return nil }

// plan has a step that is done at once, and then one that waits for a person.
func plan(application string) *sluice.Plan {
	return &sluice.Plan{
		Application: application, Enqueue: true,
		Targets: []sluice.PlannedTarget{{Name: target}},
		Steps: []sluice.PlannedStep{
			{ID: gate, Target: target, Phase: sluice.PhaseBefore, StepSpec: sluice.StepSpec{Kind: sluice.KindPause}},
			{ID: target + "/apply/0", Target: target, Phase: sluice.PhaseApply, After: []sluice.StepID{gate},
				StepSpec: sluice.StepSpec{Kind: sluice.KindApply}},
		},
	}
}

// A process is an engine and an observed server on a store that others may use too.
type process struct {
	store   sluice.Store
	bare    sluice.Store
	engine  *engine.Engine
	metrics *telemetry.Metrics
	http    *httptest.Server
	log     *lines
}

// lines is a log that may be written while it is read.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// start starts a process on the store in the directory. appended is told what it appends.
func start(t *testing.T, dir string, appended func(sluice.DeploymentID, []sluice.Event)) *process {
	t.Helper()
	bare, err := sqlite.Open(t.Context(), filepath.Join(dir, "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	p := &process{bare: bare, log: &lines{}}
	logger := telemetry.NewLogger(p.log, true, slog.LevelInfo)
	p.metrics = telemetry.NewMetrics(telemetry.Build{Version: "1.2.3", Commit: "abc", Go: "go1"}, time.Now)
	p.store = p.metrics.Store(bare, func(id sluice.DeploymentID, events []sluice.Event) {
		telemetry.LogEvents(logger, id, events)
		if appended != nil {
			appended(id, events)
		}
	})
	p.engine = engine.New(engine.Config{Store: p.store, Steps: gates{}, Now: time.Now, Random: rand.Reader})
	p.http = httptest.NewServer(p.metrics.Requests(logger, p.routes()))
	ctx, stop := context.WithCancel(context.Background())
	var following sync.WaitGroup
	following.Go(func() { p.metrics.Follow(ctx, p.store, p.store, func(error) {}) })
	t.Cleanup(func() {
		p.http.CloseClientConnections()
		p.http.Close()
		stop()
		following.Wait()
		if err := p.engine.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		_ = bare.Close() // a test may have closed it
	})
	p.until(t, "sluice_feed_up", 1)
	return p
}

func (p *process) routes() http.Handler {
	caller := telemetry.Callers(func(r *http.Request) (access.Caller, error) {
		if r.Header.Get("Authorization") != "Bearer "+secret {
			return access.Caller{}, sluice.Errorf(sluice.Unauthenticated, "nobody is proven")
		}
		return access.Everything(sluice.Actor{Name: "ana"}), nil
	})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", p.metrics.Handler())
	mux.Handle(api.Prefix+"/", api.New(api.Config{
		Server: server.New(server.Config{Store: p.store, Engine: p.engine, Now: time.Now}), Caller: caller,
	}))
	mux.HandleFunc("POST /panic", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	return mux
}

// deploy starts a deployment and returns when it waits for a person.
func (p *process) deploy(t *testing.T, application string) sluice.DeploymentID {
	t.Helper()
	id, err := p.engine.Start(t.Context(), plan(application), sluice.Actor{Name: "ana"})
	if err != nil {
		t.Fatal(err)
	}
	for u, err := range p.engine.Watch(t.Context(), id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if u.Event != nil && u.Event.Kind == sluice.StepProgressed {
			break
		}
	}
	return id
}

// decide sends a signal to the gate and returns when the deployment has ended.
func (p *process) decide(t *testing.T, id sluice.DeploymentID, kind string) {
	t.Helper()
	sig := sluice.Signal{Kind: kind, Step: gate, By: sluice.Actor{Name: "ana"}, Reason: "so it is"}
	if err := p.engine.Signal(t.Context(), id, sig); err != nil {
		t.Fatal(err)
	}
	if _, err := p.engine.Wait(t.Context(), id); err != nil {
		t.Fatal(err)
	}
}

// scrape reads the metrics as Prometheus does.
func (p *process) scrape(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	resp := p.get(t, "/metrics")
	defer resp.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (p *process) get(t *testing.T, path string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.http.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// value returns a metric with the labels, written name=value, -1 if there is none. That of a histogram is its count.
func value(all map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	for _, m := range all[name].GetMetric() {
		has := map[string]bool{}
		for _, l := range m.GetLabel() {
			has[l.GetName()+"="+l.GetValue()] = true
		}
		fits := true
		for _, l := range labels {
			fits = fits && has[l]
		}
		if fits {
			return m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return -1
}

// until scrapes until the metric has the value.
func (p *process) until(t *testing.T, name string, want float64, labels ...string) map[string]*dto.MetricFamily {
	t.Helper()
	often := time.NewTicker(5 * time.Millisecond)
	defer often.Stop()
	for late := time.After(time.Minute); ; {
		all := p.scrape(t)
		if value(all, name, labels...) == want {
			return all
		}
		select {
		case <-often.C:
		case <-late:
			t.Fatalf("%s{%s} is %v, want %v", name, strings.Join(labels, ","), value(all, name, labels...), want)
		}
	}
}
