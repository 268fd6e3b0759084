package gate

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/analysis"
	"github.com/sluice-cd/sluice/internal/step/render"
)

// round asks every query for the instant, all at once. What is not answered within the interval is late.
func (s *analyse) round(ctx context.Context, r analysisRecord, at time.Time) ([]sluice.Sample, error) {
	samples := make([]sluice.Sample, len(s.spec.Resolved))
	errs := make([]error, len(s.spec.Resolved))
	var all sync.WaitGroup
	for i := range s.spec.Resolved {
		all.Go(func() { samples[i], errs[i] = s.sample(ctx, i, r, at) })
	}
	all.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return samples, errors.Join(errs...)
}

func (s *analyse) sample(ctx context.Context, i int, r analysisRecord, at time.Time) (sluice.Sample, error) {
	q := s.spec.Resolved[i]
	query, err := render.Text(ctx, s.deps, s.sc, q.Template, s.times(r, at))
	if err != nil {
		return sluice.Sample{}, err
	}
	bounded, cancel := context.WithTimeout(ctx, s.spec.Interval)
	defer cancel()
	value, err := s.asked[i].Measure(bounded, query, at)
	if err != nil && bounded.Err() != nil {
		err = context.DeadlineExceeded
	}
	sample, err := analysis.Sample(q, analysis.Answer{Start: s.since(r, at), End: at, Value: value, Err: err})
	if err != nil {
		return sample, &sluice.Error{Code: sluice.ErrorCode(err), Op: "query " + q.Name, Hint: sluice.ErrorHint(err), Err: err}
	}
	return sample, nil
}

// since is where the interval that ends at the instant begins.
func (s *analyse) since(r analysisRecord, at time.Time) time.Time {
	if s.spec.Lookback == analysis.Growing {
		return r.Started
	}
	return at.Add(-s.spec.Interval)
}

// times returns the variables that only queries have.
func (s *analyse) times(r analysisRecord, at time.Time) map[string]string {
	start := s.since(r, at)
	length := max(at.Sub(start), 0)
	v := map[string]string{
		"armory.intervalSeconds":    strconv.FormatInt(int64(length/time.Second), 10),
		"armory.intervalMillis":     strconv.FormatInt(length.Milliseconds(), 10),
		"armory.promQlStepInterval": promQL(length),
	}
	maps.Copy(v, instants("armory.startTime", start))
	maps.Copy(v, instants("armory.endTime", at))
	return v
}

func instants(prefix string, t time.Time) map[string]string {
	return map[string]string{
		prefix + "Iso8601":      t.UTC().Format(time.RFC3339),
		prefix + "EpochSeconds": strconv.FormatInt(t.Unix(), 10),
		prefix + "EpochMillis":  strconv.FormatInt(t.UnixMilli(), 10),
	}
}

// promQL writes a duration as PromQL does inside [].
func promQL(d time.Duration) string {
	if d%time.Second == 0 && d > 0 {
		return strconv.FormatInt(int64(d/time.Second), 10) + "s"
	}
	return strconv.FormatInt(max(d.Milliseconds(), 1), 10) + "ms"
}
