package gate

import (
	"cmp"
	"context"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/analysis"
	"github.com/sluice-cd/sluice/internal/step/decision"
	"github.com/sluice-cd/sluice/internal/step/deps"
	"github.com/sluice-cd/sluice/internal/step/record"
	"github.com/sluice-cd/sluice/internal/step/render"
)

const defaultUnknownBudget = 10 * time.Minute

// analyse takes samples at instants that are fixed when it starts, one interval apart, and waits between them.
// After an outage of Sluice it asks for the samples it missed, at their own instants. While nothing can be said
// it goes on for the budget, and the traffic stays as it is.
type analyse struct {
	inert
	deps  deps.Deps
	sc    sluice.StepContext
	spec  sluice.Analysis
	asked []sluice.Metrics // by the index of spec.Resolved
}

// An analysisRecord is what the step knows besides its samples, which are its result.
type analysisRecord struct {
	Started time.Time `json:"started"`
	Taken   int       `json:"taken"`            // how many rounds of samples
	Asking  bool      `json:"asking,omitempty"` // a person decides now
}

func NewAnalysis(d deps.Deps, sc sluice.StepContext) (sluice.Step, error) {
	s := &analyse{deps: d, sc: sc, spec: *sc.Step.Analysis}
	if s.spec.Interval <= 0 {
		return nil, sluice.Errorf(sluice.Invalid, "the analysis has no interval").At(sc.Step.Pos)
	}
	extra := s.times(analysisRecord{}, time.Time{})
	for _, q := range s.spec.Resolved {
		m, err := d.MetricProvider(cmp.Or(q.Provider, s.spec.Provider), sc.Step.Pos)
		if err != nil {
			return nil, err
		}
		if err := render.Check(sc, q.Template, extra); err != nil {
			return nil, err
		}
		s.asked = append(s.asked, m)
	}
	return s, nil
}

// Check asks every query once, so that one that is refused is found before it is needed. What only the steps
// before this one bring may still be missing.
func (s *analyse) Check(ctx context.Context) (sluice.Preview, error) {
	for _, q := range s.spec.Resolved {
		if err := render.CheckSecrets(ctx, s.deps, q.Template); err != nil {
			return sluice.Preview{}, err
		}
	}
	now := s.deps.Now()
	_, err := s.round(ctx, analysisRecord{Started: now.Add(-s.spec.Interval)}, now)
	if c := sluice.ErrorCode(err); err != nil && c != sluice.NotFound && c != sluice.Unavailable {
		return sluice.Preview{}, err
	}
	return sluice.Preview{Notes: []string{"takes " + s.plural() + ", " + s.spec.Interval.String() + " apart"}}, nil
}

// Start fixes the instants of the samples.
func (s *analyse) Start(_ context.Context, p sluice.Progress) (sluice.Progress, error) {
	return s.wait(p, analysisRecord{Started: s.deps.Now()}, sluice.Judgment{Verdict: sluice.Unknown})
}

// Observe takes every sample that is due and says what follows.
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
			return s.spent(p, r, j)
		}
		if s.deps.Now().Before(due) {
			return s.wait(p, r, j)
		}
		samples, err := s.round(ctx, r, due)
		if err != nil {
			return p, err
		}
		r.Taken++
		all := j.Samples
		for _, sample := range samples {
			all = analysis.Add(all, sample)
		}
		if j = analysis.Judge(s.spec, all); j.Verdict != sluice.Unknown {
			return s.conclude(p, r, j)
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
