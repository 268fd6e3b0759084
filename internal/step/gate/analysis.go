package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/analysis"
	"github.com/sluice-cd/sluice/internal/step/decision"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/record"
	"github.com/sluice-cd/sluice/internal/step/render"
	"github.com/sluice-cd/sluice/internal/template"
)

const defaultUnknownBudget = 10 * time.Minute

// analyse takes samples at instants that are fixed when it starts, one interval apart, and waits between them.
// After an outage of Sluice it asks for the samples it missed, at their own instants. While samples are unknown it goes
// on until its budget is spent, and the traffic stays as it is.
type analyse struct {
	inert
	deps  deps.Deps
	sc    sluice.StepContext
	spec  sluice.Analysis
	asked []sluice.Metrics // by the index of spec.Resolved
}

// An analysisRecord is what the step records besides its samples, which are its result.
type analysisRecord struct {
	Started time.Time `json:"started"`
	Taken   int       `json:"taken"`            // how many rounds of samples
	Asking  bool      `json:"asking,omitempty"` // a person decides now
	// Evaluated are the queries to which the provider gave an answer: they are well-formed.
	Evaluated []string `json:"evaluated,omitempty"`
}

// NewAnalysis returns the step that judges a rollout by metrics.
func NewAnalysis(d deps.Deps, sc sluice.StepContext) (sluice.Step, error) {
	s := &analyse{deps: d, sc: sc, spec: *sc.Step.Analysis}
	if s.spec.Interval <= 0 {
		return nil, sluice.Errorf(sluice.Invalid, "the analysis has no interval").At(sc.Step.Pos)
	}
	known := s.variables(analysisRecord{}, time.Time{})
	for _, q := range s.spec.Resolved {
		m, err := d.MetricProvider(cmp.Or(q.Provider, s.spec.Provider), sc.Step.Pos)
		if err != nil {
			return nil, err
		}
		if err := known.Check(template.Parse(q.Template)); err != nil {
			return nil, err
		}
		s.asked = append(s.asked, m)
	}
	return s, nil
}

// Check runs every query once, so that a malformed query is found early. A provider that is away, and data that only
// earlier steps produce, are no reason to fail.
func (s *analyse) Check(ctx context.Context) (sluice.Preview, error) {
	now := s.deps.Now()
	r := analysisRecord{Started: now.Add(-s.spec.Interval)}
	for _, q := range s.spec.Resolved {
		if err := s.variables(r, now).CheckSecrets(ctx, template.Parse(q.Template)); err != nil {
			return sluice.Preview{}, err
		}
	}
	answers, err := s.round(ctx, r, now)
	if err != nil {
		return sluice.Preview{}, err
	}
	notes := []string{"takes " + s.plural() + ", " + s.spec.Interval.String() + " apart"}
	for _, a := range answers {
		notes = append(notes, analysis.Now(a.sample))
	}
	return sluice.Preview{Notes: notes}, nil
}

// glance bounds how long a provider is waited for before anything starts.
const glance = 3 * time.Second

// Vet finds a secret that cannot be read, and a query that the provider refuses. A provider that is slow may be asked
// again.
func (s *analyse) Vet(ctx context.Context) (sluice.Preview, error) {
	short, cancel := context.WithTimeout(ctx, glance)
	defer cancel()
	return s.Check(short)
}

// Start fixes the instants of the samples.
func (s *analyse) Start(_ context.Context, p sluice.Progress) (sluice.Progress, error) {
	return s.wait(p, analysisRecord{Started: s.deps.Now()}, sluice.Judgment{Verdict: sluice.Unknown})
}

// Observe takes every sample that is due and says how to continue.
func (s *analyse) Observe(ctx context.Context, p sluice.Progress) (sluice.Progress, error) {
	if out, ok, err := decision.Of(p); ok {
		return out, err
	}
	r := analysisRecord{Started: s.deps.Now()}
	if err := record.Read(p.Data, &r); err != nil {
		return p, err
	}
	j := judgmentOf(p)
	for !r.Asking {
		at := s.instant(r.Taken + 1)
		due := r.Started.Add(at)
		if at > s.bound() {
			return s.conclude(p, r, j)
		}
		if s.deps.Now().Before(due) {
			return s.wait(p, r, j)
		}
		answers, err := s.round(ctx, r, due)
		if err != nil {
			return p, err
		}
		r.Taken++
		all := j.Samples
		for _, a := range answers {
			all = analysis.Add(all, a.sample)
			if q := a.sample.Query; a.evaluated && !slices.Contains(r.Evaluated, q) {
				r.Evaluated = append(r.Evaluated, q)
			}
		}
		if j = analysis.Judge(s.spec, all); j.Verdict != sluice.Unknown {
			return s.conclude(p, r, j)
		}
		if unknown(j) {
			return s.wait(p, r, j) // the next instant may have come, but a person hears of it and may decide first
		}
	}
	return p, ctx.Err()
}

func (s *analyse) instant(n int) time.Duration { return time.Duration(n) * s.spec.Interval }

// bound is when the budget for unknown samples is spent, counted from the start.
func (s *analyse) bound() time.Duration {
	return s.instant(max(s.spec.Runs, 1)) + cmp.Or(s.spec.UnknownBudget, defaultUnknownBudget)
}

func judgmentOf(p sluice.Progress) sluice.Judgment {
	if p.Result == nil || p.Result.Judgment == nil {
		return sluice.Judgment{Verdict: sluice.Unknown}
	}
	return *p.Result.Judgment
}

// An answer is what came of asking a query once.
type answer struct {
	sample    sluice.Sample
	evaluated bool // the provider evaluated the query
}

// round runs every query for the instant, all at the same time. A query that is not answered within the interval is
// late.
func (s *analyse) round(ctx context.Context, r analysisRecord, at time.Time) ([]answer, error) {
	answers := make([]answer, len(s.spec.Resolved))
	errs := make([]error, len(s.spec.Resolved))
	var all sync.WaitGroup
	for i := range s.spec.Resolved {
		all.Go(func() { answers[i], errs[i] = s.ask(ctx, i, r, at) })
	}
	all.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return answers, errors.Join(errs...)
}

func (s *analyse) ask(ctx context.Context, i int, r analysisRecord, at time.Time) (answer, error) {
	q := s.spec.Resolved[i]
	a := analysis.Answer{Start: s.since(r, at), End: at, WellFormed: slices.Contains(r.Evaluated, q.Name)}
	a.Value, a.Err = s.measure(ctx, i, r, at)
	sample, err := analysis.Sample(q, a)
	if err != nil {
		op := "query " + q.Name
		return answer{}, &sluice.Error{Code: sluice.ErrorCode(err), Op: op, Hint: sluice.ErrorHint(err), Err: err}
	}
	return answer{sample, a.Err == nil || sluice.ErrorCode(a.Err) == sluice.NotFound}, nil
}

func (s *analyse) measure(ctx context.Context, i int, r analysisRecord, at time.Time) (float64, error) {
	query, err := s.variables(r, at).Text(ctx, template.Parse(s.spec.Resolved[i].Template), template.PromQL)
	if sluice.ErrorCode(err) == sluice.NotFound {
		return 0, sluice.Errorf(sluice.Unavailable, "%w", err) // a secret or Service, which may come back
	}
	if err != nil {
		return 0, err
	}
	bounded, cancel := context.WithTimeout(ctx, s.spec.Interval)
	defer cancel()
	value, err := s.asked[i].Measure(bounded, query, at)
	if err != nil && bounded.Err() != nil {
		return 0, context.DeadlineExceeded
	}
	return value, err
}

func (s *analyse) variables(r analysisRecord, at time.Time) render.Variables {
	return render.For(s.deps, s.sc, s.times(r, at))
}

// since returns the start of the interval that ends at the instant.
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

// keep puts the record and the evidence into the progress.
func (s *analyse) keep(p sluice.Progress, r analysisRecord, j sluice.Judgment) (sluice.Progress, error) {
	raw, err := record.Write(r)
	if err != nil {
		return p, err
	}
	p.Data, p.Result = raw, &sluice.Result{Judgment: &j}
	return p, nil
}

// wait waits for the next instant. While a query is unknown, a person may end the wait.
func (s *analyse) wait(p sluice.Progress, r analysisRecord, j sluice.Judgment) (sluice.Progress, error) {
	p.State = sluice.Waiting
	p.Wait = &sluice.Wait{Until: r.Started.Add(s.instant(r.Taken + 1))}
	p.Message = fmt.Sprintf("%d of %s taken", analysis.Taken(s.spec, j.Samples), s.plural())
	if unknown(j) {
		p.Wait.Signals = []string{sluice.SignalRollForward, sluice.SignalReject}
		p.Message = "the metrics are unknown, the traffic stays as it is: " + j.Reason
	}
	return s.keep(p, r, j)
}

// unknown reports whether the latest sample of any query is unknown or late.
func unknown(j sluice.Judgment) bool {
	latest := map[string]sluice.Verdict{}
	for _, s := range j.Samples {
		latest[s.Query] = s.Verdict
	}
	verdicts := slices.Collect(maps.Values(latest))
	return slices.Contains(verdicts, sluice.Unknown) || slices.Contains(verdicts, sluice.Late)
}

// conclude follows the judgment, or onUnknown if the budget for unknown samples is spent. A person who has to decide
// gets no deadline.
func (s *analyse) conclude(p sluice.Progress, r analysisRecord, j sluice.Judgment) (sluice.Progress, error) {
	fail, isUnknown, isGood := "", j.Verdict == sluice.Unknown, j.Verdict == sluice.Good
	switch {
	case isUnknown && s.spec.OnUnknown == "rollBack":
		fail = "the metrics stayed unknown for too long"
	case isUnknown && s.spec.OnUnknown != "rollForward":
		return s.askPerson(p, r, j, "unknown for too long, and a person decides")
	case isGood && s.spec.RollForwardMode == "manual":
		return s.askPerson(p, r, j, "good, and a person rolls forward")
	case isGood || isUnknown:
		p.State, p.Wait, p.Message = sluice.Done, nil, j.Reason
		return s.keep(p, r, j)
	case s.spec.RollBackMode == "manual":
		return s.askPerson(p, r, j, "bad, and a person decides")
	default:
		fail = "the analysis is bad"
	}
	p, err := s.keep(p, r, j)
	if err != nil {
		return p, err
	}
	return p, sluice.Errorf(sluice.Failed, "%s: %s", fail, j.Reason).
		WithHint("to see each sample with its time: sluice status %s --output json", s.sc.Deployment)
}

func (s *analyse) askPerson(
	p sluice.Progress, r analysisRecord, j sluice.Judgment, what string,
) (sluice.Progress, error) {
	r.Asking = true
	p.State, p.Message = sluice.Waiting, what+": "+j.Reason
	p.Wait = &sluice.Wait{Signals: []string{sluice.SignalApprove, sluice.SignalRollForward, sluice.SignalReject}}
	return s.keep(p, r, j)
}

func (s *analyse) plural() string {
	if max(s.spec.Runs, 1) == 1 {
		return "1 sample"
	}
	return fmt.Sprintf("%d samples", s.spec.Runs)
}
