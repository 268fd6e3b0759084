package step_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

// answers is a metric provider: each asked instant, counted from noon in seconds, has its value or error; all
// others are 0.
type answers map[int]any

func (a answers) Measure(ctx context.Context, _ string, at time.Time) (float64, error) {
	switch v := a[int(at.Sub(noon)/time.Second)].(type) {
	case error:
		return 0, v
	case int:
		return float64(v), nil
	case string:
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return 0, nil
}

// analysing samples errors, at most 5, three times, 10 s apart.
func analysing(change func(*sluice.Analysis)) sluice.StepSpec {
	upper := 5.0
	a := sluice.Analysis{
		Queries: []string{"errors"}, Interval: 10 * time.Second, Runs: 3, UnknownBudget: 30 * time.Second,
		Resolved: []sluice.Query{{Name: "errors", Template: "rate(errors[{{armory.promQlStepInterval}}])", Upper: &upper,
			Provider: "prometheus"}},
	}
	if change != nil {
		change(&a)
	}
	return sluice.StepSpec{Kind: sluice.KindAnalysis, Analysis: &a}
}

var (
	away    = sluice.Errorf(sluice.Unavailable, "503")
	refused = sluice.Errorf(sluice.Invalid, "parse error")
)

func TestAnalysisOutcomes(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		change func(*sluice.Analysis)
		gives  answers
		signal string // what a person says once asked
		at     int    // when it ends, or when a person is asked, in seconds
		code   sluice.Code
		says   string
	}{
		"good":      {"three good samples end it", nil, answers{}, "", 30, "", "within"},
		"bad":       {"the average fails it", nil, answers{10: 9, 20: 9, 30: 9}, "", 30, sluice.Failed, "above 5"},
		"bad waits": {"a bad sample alone does not end it", nil, answers{10: 9}, "", 30, "", ""},
		"abort": {"unless asked for", func(a *sluice.Analysis) { a.AbortOnFailedJudgment = true }, answers{10: 9},
			"", 10, sluice.Failed, "9 is above 5"},
		"short outage": {"an outage holds, and costs its own time only", nil, answers{10: away, 20: away}, "", 50, "",
			"within"},
		"long outage": {"a person decides when the budget is spent", nil, outage(60), sluice.SignalApprove, 60, "",
			"approved"},
		"rejected": {"and may say no", nil, outage(60), sluice.SignalReject, 60, sluice.Failed, "rejected"},
		"unknown back": {"the file may decide", func(a *sluice.Analysis) { a.OnUnknown = "rollBack" }, outage(60), "",
			60, sluice.Failed, "stayed unknown for too long"},
		"unknown forward": {"either way", func(a *sluice.Analysis) { a.OnUnknown = "rollForward" }, outage(60), "", 60, "",
			"0 of 3"},
		"manual back": {"a bad one waits for a person", func(a *sluice.Analysis) { a.RollBackMode = "manual" },
			answers{10: 9, 20: 9, 30: 9}, sluice.SignalRollForward, 30, "", "rolled forward"},
		"manual forward": {"a good one waits for a person", func(a *sluice.Analysis) { a.RollForwardMode = "manual" },
			answers{}, sluice.SignalReject, 30, sluice.Failed, "rejected"},
		"growing lookback": {"the last sample covers all", func(a *sluice.Analysis) { a.Lookback = "growing" },
			answers{10: 9, 20: 9}, "", 30, "", "whole time"},
		"refused":       {"a malformed query cannot heal", nil, answers{10: refused}, "", 10, sluice.Invalid, "parse error"},
		"refused later": {"a query that was answered is not malformed", nil, answers{20: refused}, "", 40, "", "within"},
		"refused after no data": {"no data is an answer too", nil,
			answers{10: sluice.Errorf(sluice.NotFound, "no data"), 20: refused}, "", 50, "", "within"},
		"away, then refused": {"an outage is none", nil, answers{10: away, 20: refused}, "", 20, sluice.Invalid,
			"parse error"},
		"no credentials": {"credentials may come back", nil, answers{10: sluice.Errorf(sluice.Denied, "401")}, "", 40, "",
			"within"},
		"defect": {"a defect says nothing about the release", nil, answers{10: errors.New("oops")}, "", 40, "", "within"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench().add("canary/0", analysing(test.change))
			b.deps.Metrics = map[string]sluice.Metrics{"prometheus": test.gives}
			p, err := b.must(t, "canary/0").Start(t.Context(), sluice.Progress{})
			for range 100 {
				if err != nil || p.State != sluice.Waiting {
					break
				}
				if p.Wait.Until.IsZero() {
					if test.signal == "" {
						t.Fatalf("%s: it asks a person: %s", test.reason, p.Message)
					}
					p.Signals = append(p.Signals, sluice.Signal{Kind: test.signal, By: sluice.Actor{Name: "ada"}})
				} else {
					b.now = p.Wait.Until
				}
				p, err = b.must(t, "canary/0").Observe(t.Context(), p)
			}
			text := p.Message
			if err != nil {
				text = err.Error()
			}
			if sluice.ErrorCode(err) != test.code || !strings.Contains(text, test.says) {
				t.Errorf("%s: got %q (%s), want %q (%s)", test.reason, text, sluice.ErrorCode(err), test.says, test.code)
			}
			if got := int(b.now.Sub(noon) / time.Second); got != test.at && test.signal == "" && test.at != 60 {
				t.Errorf("%s: it ended after %d s, want %d", test.reason, got, test.at)
			}
			if test.code != sluice.Invalid && (p.Result == nil || len(p.Result.Judgment.Samples) == 0) {
				t.Errorf("%s: there is no evidence", test.reason)
			}
		})
	}
}

func TestAnalysisCheck(t *testing.T) {
	for name, test := range map[string]struct {
		answer any
		code   sluice.Code
		note   string
	}{
		"good": {0, "", "query errors is 0 now, which is good"}, "bad": {9, "", "query errors is 9 now, which is bad"},
		"away":      {away, "", "query errors has no value now: 503"},
		"malformed": {refused, sluice.Invalid, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench().add("canary/0", analysing(nil))
			b.deps.Metrics = map[string]sluice.Metrics{"prometheus": answers{0: test.answer}}
			preview, err := b.must(t, "canary/0").Check(t.Context())
			notes := strings.Join(preview.Notes, "\n")
			if sluice.ErrorCode(err) != test.code || !strings.Contains(notes, test.note) {
				t.Errorf("got %q, %v", notes, err)
			}
		})
	}
}

// TestAnalysisOutlastsASecret removes the secret of a query for one sample.
func TestAnalysisOutlastsASecret(t *testing.T) {
	b := newBench().add("canary/0", analysing(func(a *sluice.Analysis) {
		a.Resolved[0].Template = `up{token="{{secrets.token}}"}`
	}))
	b.deps.Metrics = map[string]sluice.Metrics{"prometheus": answers{}}
	p, err := b.must(t, "canary/0").Start(t.Context(), sluice.Progress{})
	for i := 0; err == nil && p.State == sluice.Waiting; i++ {
		b.deps.Secrets = mapSecrets{"token": "s3cret"}
		if i == 1 {
			b.deps.Secrets = mapSecrets{}
		}
		b.now = p.Wait.Until
		p, err = b.must(t, "canary/0").Observe(t.Context(), p)
	}
	if err != nil || p.Result.Judgment.Verdict != sluice.Good || b.now.Sub(noon) != 40*time.Second {
		t.Errorf("got %+v after %s, %v", p, b.now.Sub(noon), err)
	}
}

func TestQueryIsEscaped(t *testing.T) {
	b := newBench().add("canary/0", analysing(func(a *sluice.Analysis) {
		a.Resolved[0].Template = `errors{branch="{{context.branch}}"}`
	}))
	b.plan.Context["branch"] = `a"} or up{x="`
	var asked string
	b.deps.Metrics = map[string]sluice.Metrics{"prometheus": measure(func(query string, _ time.Time) { asked = query })}
	if _, err := b.must(t, "canary/0").Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := `errors{branch="a\"} or up{x=\""}`; asked != want {
		t.Errorf("asked %s, want %s", asked, want)
	}
}

func outage(until int) answers {
	a := answers{}
	for i := 10; i <= until+10; i += 10 {
		a[i] = away
	}
	return a
}

// A sample without a value does not count as one of those that are needed.
func TestAnalysisCountsSamplesWithAValue(t *testing.T) {
	b := newBench().add("canary/0", analysing(nil))
	b.deps.Metrics = map[string]sluice.Metrics{"prometheus": answers{10: away}}
	p, err := b.must(t, "canary/0").Start(t.Context(), sluice.Progress{})
	for _, says := range []string{"the metrics are unknown", "1 of 3 samples taken", "2 of 3 samples taken"} {
		if err != nil {
			t.Fatal(err)
		}
		b.now = p.Wait.Until
		if p, err = b.must(t, "canary/0").Observe(t.Context(), p); !strings.Contains(p.Message, says) {
			t.Errorf("it says %q, want %q", p.Message, says)
		}
	}
}

func TestAnalysisHoldsWithOneMessage(t *testing.T) {
	b := newBench().add("canary/0", analysing(nil))
	b.deps.Metrics = map[string]sluice.Metrics{"prometheus": outage(600)}
	p, err := b.must(t, "canary/0").Start(t.Context(), sluice.Progress{})
	messages := map[string]bool{}
	for err == nil && !p.Wait.Until.IsZero() {
		b.now = p.Wait.Until
		if p, err = b.must(t, "canary/0").Observe(t.Context(), p); err == nil && !p.Wait.Until.IsZero() {
			messages[p.Message] = true
		}
	}
	if err != nil || len(messages) != 1 {
		t.Errorf("an outage says %d things, want 1: %v, %v", len(messages), messages, err)
	}
	if got := len(p.Result.Judgment.Samples); got != 1 {
		t.Errorf("an unbroken outage is kept as %d samples, want 1", got)
	}
}

// TestAnalysisWithALateQuery lets the provider answer so late that the next sample is always due.
func TestAnalysisWithALateQuery(t *testing.T) {
	b := newBench().add("canary/0", analysing(nil))
	b.deps.Metrics = map[string]sluice.Metrics{"prometheus": outage(600)}
	p, err := b.must(t, "canary/0").Start(t.Context(), sluice.Progress{})
	if err != nil {
		t.Fatal(err)
	}
	b.now = noon.Add(20 * time.Second)
	p, err = b.must(t, "canary/0").Observe(t.Context(), p)
	if err != nil || !strings.Contains(p.Message, "metrics are unknown") || p.Wait.Until.After(b.now) {
		t.Errorf("after a late query it says %q and waits for %v: %v", p.Message, p.Wait, err)
	}
	p.Signals = append(p.Signals, sluice.Signal{Kind: sluice.SignalReject, By: sluice.Actor{Name: "ada"}})
	if _, err = b.must(t, "canary/0").Observe(t.Context(), p); sluice.ErrorCode(err) != sluice.Failed {
		t.Errorf("a person cannot reject while queries are late: %v", err)
	}
}

// TestAnalysisAfterDowntime lets every sample come due before anybody looks.
func TestAnalysisAfterDowntime(t *testing.T) {
	b := newBench().add("canary/0", analysing(nil))
	var mu sync.Mutex
	var asked []string
	b.deps.Metrics = map[string]sluice.Metrics{"prometheus": measure(func(query string, at time.Time) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, query+" at "+at.Format(time.TimeOnly))
	})}
	p, err := b.must(t, "canary/0").Start(t.Context(), sluice.Progress{})
	if err != nil {
		t.Fatal(err)
	}
	b.now = noon.Add(time.Hour)
	p, err = b.must(t, "canary/0").Observe(t.Context(), p)
	if err != nil || p.State != sluice.Done {
		t.Fatalf("got %v, %v", p.State, err)
	}
	want := []string{"rate(errors[10s]) at 12:00:10", "rate(errors[10s]) at 12:00:20", "rate(errors[10s]) at 12:00:30"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
}

type measure func(query string, at time.Time)

func (m measure) Measure(_ context.Context, query string, at time.Time) (float64, error) {
	m(query, at)
	return 0, nil
}
