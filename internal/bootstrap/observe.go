package bootstrap

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/status"
	"github.com/sluice-cd/sluice/internal/telemetry"
)

// An observation is what a server tells its operator.
type observation struct {
	metrics *telemetry.Metrics
	tracer  *telemetry.Tracer // nil: nobody collects traces
	log     *slog.Logger
}

// observe begins the observation of a server. In a log of JSON everything is a line of it.
func (i *Instance) observe(ctx context.Context, asJSON bool) (err error) {
	b := Version()
	build := telemetry.Build{Version: b.Version, Commit: b.Commit, Go: b.Go}
	o := &observation{
		metrics: telemetry.NewMetrics(build, time.Now), log: telemetry.NewLogger(i.Log, asJSON, slog.LevelInfo),
	}
	wanted, secrets := telemetry.TracesWanted(os.Getenv)
	for _, s := range secrets {
		i.Dir.redactor.Learn(s)
	}
	if wanted {
		if o.tracer, err = telemetry.NewTracer(ctx, build, o.log); err != nil {
			return sluice.Errorf(sluice.Invalid, "traces cannot be exported: %w", err).
				WithHint("correct the variables, or unset OTEL_EXPORTER_OTLP_ENDPOINT")
		}
	}
	if i.observed = o; asJSON {
		i.Note = o.note
	}
	return nil
}

// note logs what the user is told.
func (o *observation) note(format string, args ...any) {
	text, isWarning := strings.CutPrefix(fmt.Sprintf(format, args...), "warning: ")
	if isWarning {
		o.log.Warn(text)
		return
	}
	o.log.Info(text)
}

// store returns the store, observed.
func (o *observation) store(s sluice.Store) sluice.Store {
	return o.metrics.Store(s, func(id sluice.DeploymentID, events []sluice.Event) {
		telemetry.LogEvents(o.log, id, events)
		if o.tracer != nil && events[len(events)-1].Kind == sluice.DeploymentEnded {
			o.tracer.Ended(id)
		}
	})
}

// export begins to export traces of deployments. It returns the function that ends that, once what is left is exported.
func (o *observation) export(log sluice.Log) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	var exporting sync.WaitGroup
	if o.tracer != nil {
		exporting.Go(func() { o.tracer.Run(ctx, log) })
	}
	return func() error {
		cancel()
		exporting.Wait()
		return nil
	}
}

// follow counts what deployments do until ctx ends.
func (o *observation) follow(ctx context.Context, store sluice.Store) {
	o.metrics.Follow(ctx, store, store, func(err error) {
		o.log.Warn("the metrics cannot follow the store now; it is tried again", "error", err)
	})
}

// handler answers with the metrics to callers who have any role.
func (o *observation) handler(caller func(*http.Request) (access.Caller, error)) http.Handler {
	metrics := o.metrics.Handler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := caller(r)
		if err == nil && len(c.Grants) == 0 {
			err = sluice.Errorf(sluice.Denied, "%s has no role on this server", c.Actor.Name)
		}
		if err == nil {
			metrics.ServeHTTP(w, r)
			return
		}
		if sluice.ErrorCode(err) == sluice.Unauthenticated {
			w.Header().Set("WWW-Authenticate", `Bearer realm="sluice"`)
		}
		http.Error(w, err.Error(), status.Of(sluice.ErrorCode(err)))
	})
}
