package telemetry

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sluice-cd/sluice"
)

// How long a tracer waits.
const (
	exportAgain = 30 * time.Second // after a collector that took nothing
	exportLast  = 5 * time.Second  // for what is left when it stops
)

// TracesWanted reports whether the standard variables of OpenTelemetry name a collector, and returns what is secret in
// them.
func TracesWanted(getenv func(string) string) (wanted bool, secrets []string) {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"} {
		for pair := range strings.SplitSeq(getenv(name), ",") {
			_, value, _ := strings.Cut(pair, "=")
			if plain, err := url.PathUnescape(value); err == nil {
				value = plain
			}
			_, credential, _ := strings.Cut(strings.TrimSpace(value), " ") // as in: Bearer TOKEN
			secrets = append(secrets, value, credential)
		}
	}
	named := getenv("OTEL_EXPORTER_OTLP_ENDPOINT")+getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
	return named && !strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") &&
		getenv("OTEL_TRACES_EXPORTER") != "none", secrets
}

// A Tracer exports a trace of each deployment that it is told of, made of the deployment's log. Its ids are those of
// the deployment, so a trace that a collector gets twice is the same. It is safe for concurrent use.
type Tracer struct {
	exporter sdk.SpanExporter
	resource *resource.Resource
	log      *slog.Logger
	bell     chan struct{}

	mu      sync.Mutex
	waiting []sluice.DeploymentID
}

// NewTracer returns a tracer that sends to the collector of the standard variables, with OTLP over HTTP.
func NewTracer(ctx context.Context, b Build, log *slog.Logger) (*Tracer, error) {
	otel.SetLogger(logr.FromSlogHandler(log.Handler()))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces are incomplete", "error", err) }))
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("use the variables OTEL_EXPORTER_OTLP_...: %w", err)
	}
	// The variables go last, so that they can name the service otherwise.
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(), resource.WithAttributes(
		attribute.String("service.name", "sluice"), attribute.String("service.version", b.Version)),
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("use the variable OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	return &Tracer{exporter: exporter, resource: about, log: log, bell: make(chan struct{}, 1)}, nil
}

// Ended tells that this process has ended the deployment. It never waits.
func (t *Tracer) Ended(id sluice.DeploymentID) {
	t.mu.Lock()
	t.waiting = append(t.waiting, id)
	t.mu.Unlock()
	select {
	case t.bell <- struct{}{}:
	default:
	}
}

// Run exports until ctx ends, then tries for a short time to export what is left. A collector that is away is tried
// again, so its deployments only wait. It is called once.
func (t *Tracer) Run(ctx context.Context, log sluice.Log) {
	// An export that runs when ctx ends is not cancelled: the collector may have it already.
	last, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(exportLast, cancel) })()
	for ctx.Err() == nil {
		if err := t.exportAll(last, log); err != nil && ctx.Err() == nil {
			t.log.Warn("traces cannot be exported now; it is tried again", "error", err)
			pause(ctx, exportAgain)
			continue
		}
		select {
		case <-t.bell:
		case <-ctx.Done():
		}
	}
	if err := t.exportAll(last, log); err != nil {
		t.log.Warn("traces were not exported", "deployments", t.left(), "error", err)
	}
	if err := t.exporter.Shutdown(last); err != nil {
		t.log.Warn("the exporter of traces did not stop", "error", err)
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (t *Tracer) left() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.waiting)
}

// exportAll exports what waits, the oldest first. What was not taken goes on waiting, behind the others: a collector
// may refuse one trace for good.
func (t *Tracer) exportAll(ctx context.Context, log sluice.Log) error {
	for t.left() > 0 {
		t.mu.Lock()
		id := t.waiting[0]
		t.waiting = t.waiting[1:]
		t.mu.Unlock()
		if err := t.export(ctx, log, id); err != nil {
			t.Ended(id)
			return err
		}
	}
	return nil
}

func (t *Tracer) export(ctx context.Context, log sluice.Log, id sluice.DeploymentID) error {
	root, begun, err := spansOf(id, log.Read(ctx, id, 0))
	if err != nil {
		return err
	}
	spans := t.render(root, fmt.Sprintf("%s/%d", id, begun))
	if len(spans) == 0 {
		return nil // left out by a sampler
	}
	return t.exporter.ExportSpans(ctx, spans)
}

// render returns the spans as those of OpenTelemetry. Their ids are made of the key.
func (t *Tracer) render(root *span, key string) []sdk.ReadOnlySpan {
	all := &collected{}
	provider := sdk.NewTracerProvider(
		sdk.WithResource(t.resource), sdk.WithIDGenerator(derived{key}), sdk.WithSpanProcessor(all))
	draw(context.Background(), provider.Tracer("github.com/sluice-cd/sluice"), root)
	return all.spans
}

func draw(ctx context.Context, tracer trace.Tracer, s *span) {
	ctx = context.WithValue(ctx, nameKey{}, s.name)
	ctx, drawn := tracer.Start(ctx, s.name, trace.WithTimestamp(s.start), trace.WithAttributes(s.attrs...))
	for _, n := range s.notes {
		drawn.AddEvent(n.name, trace.WithTimestamp(n.at))
	}
	for _, p := range s.parts {
		draw(ctx, tracer, p)
	}
	if s.failure != "" {
		drawn.SetStatus(codes.Error, s.failure)
	}
	drawn.End(trace.WithTimestamp(s.end))
}

type nameKey struct{}

// derived makes ids of a key and the name of a span.
type derived struct{ key string }

// NewIDs returns those of a trace and its first span.
func (d derived) NewIDs(ctx context.Context) (id trace.TraceID, _ trace.SpanID) {
	sum := sha256.Sum256([]byte(d.key))
	copy(id[:], sum[:])
	return id, d.NewSpanID(ctx, id)
}

// NewSpanID returns that of the span whose name ctx carries.
func (d derived) NewSpanID(ctx context.Context, _ trace.TraceID) (id trace.SpanID) {
	name, _ := ctx.Value(nameKey{}).(string)
	sum := sha256.Sum256([]byte(d.key + " " + name))
	copy(id[:], sum[:])
	return id
}

// collected keeps the spans that ended.
type collected struct{ spans []sdk.ReadOnlySpan }

// OnStart does nothing.
func (*collected) OnStart(context.Context, sdk.ReadWriteSpan) {}

// OnEnd keeps the span.
func (c *collected) OnEnd(s sdk.ReadOnlySpan) { c.spans = append(c.spans, s) }

// Shutdown does nothing.
func (*collected) Shutdown(context.Context) error { return nil }

// ForceFlush does nothing.
func (*collected) ForceFlush(context.Context) error { return nil }
