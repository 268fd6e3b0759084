package analysis_test

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/analysis"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func query(name string, lower, upper float64) sluice.Query {
	return sluice.Query{Name: name, Lower: &lower, Upper: &upper}
}

func TestSample(t *testing.T) {
	for name, test := range map[string]struct {
		reason  string
		answer  analysis.Answer
		verdict sluice.Verdict
		why     string
	}{
		"inside": {"a value between the limits passes", analysis.Answer{Value: 3}, sluice.Good, ""},
		"upper":  {"the upper limit itself passes", analysis.Answer{Value: 5}, sluice.Good, ""},
		"lower":  {"the lower limit itself passes", analysis.Answer{Value: 0}, sluice.Good, ""},
		"above":  {"a value above fails", analysis.Answer{Value: 5.001}, sluice.Bad, "5.001 is above 5"},
		"below":  {"a value below fails", analysis.Answer{Value: -1}, sluice.Bad, "-1 is below 0"},
		"NaN":    {"not a number says nothing", analysis.Answer{Value: math.NaN()}, sluice.Unknown, "NaN"},
		"Inf": {"infinity says nothing, though it is above", analysis.Answer{Value: math.Inf(1)}, sluice.Unknown,
			"+Inf"},
		"no data": {"an empty answer is neither good nor bad",
			analysis.Answer{Err: sluice.Errorf(sluice.NotFound, "no data")}, sluice.Unknown, "no data"},
		"away": {"an outage is neither good nor bad", analysis.Answer{Err: sluice.Errorf(sluice.Unavailable, "503")},
			sluice.Unknown, "503"},
		"no answer": {"too slow is late", analysis.Answer{Err: context.DeadlineExceeded}, sluice.Late, "in time"},
		"timed away": {"an outage caused by the deadline is late",
			analysis.Answer{Err: sluice.Errorf(sluice.Unavailable, "ask: %w", context.DeadlineExceeded)}, sluice.Late,
			"in time"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := analysis.Sample(query("q", 0, 5), test.answer)
			if err != nil {
				t.Fatal(err)
			}
			if got.Verdict != test.verdict || !strings.Contains(got.Reason, test.why) {
				t.Errorf("%s: got %s (%s), want %s (%s)", test.reason, got.Verdict, got.Reason, test.verdict, test.why)
			}
		})
	}
	if _, err := analysis.Sample(query("q", 0, 5),
		analysis.Answer{Err: sluice.Errorf(sluice.Invalid, "parse error")}); sluice.ErrorCode(err) != sluice.Invalid {
		t.Errorf("a refused query became a sample: %v", err)
	}
}

// samples writes numbers as samples of q with the limits 0 to 5; "?" is unknown and "late" is late.
func samples(t *testing.T, name string, values ...any) []sluice.Sample {
	t.Helper()
	var list []sluice.Sample
	for i, v := range values {
		a := analysis.Answer{Start: t0.Add(time.Duration(i) * time.Second), End: t0.Add(time.Duration(i+1) * time.Second)}
		switch v := v.(type) {
		case int:
			a.Value = float64(v)
		case float64:
			a.Value = v
		case string:
			a.Err = map[string]error{"?": sluice.Errorf(sluice.NotFound, "no data"), "late": context.DeadlineExceeded}[v]
		}
		s, err := analysis.Sample(query(name, 0, 5), a)
		if err != nil {
			t.Fatal(err)
		}
		list = analysis.Add(list, s)
	}
	return list
}

func TestJudge(t *testing.T) {
	type m = map[string][]any
	for name, test := range map[string]struct {
		reason  string
		change  func(*sluice.Analysis)
		values  m
		verdict sluice.Verdict
		why     string
	}{
		"nothing yet": {"without samples nothing can be said", nil, m{"q": {}}, sluice.Unknown, "0 of 3"},
		"too few":     {"two good samples of three are not enough", nil, m{"q": {1, 1}}, sluice.Unknown, "2 of 3"},
		"good": {"three good ones are", nil, m{"q": {1, 2, 3}}, sluice.Good,
			"the average of 3 samples, 2, is within"},
		"outlier":           {"the average decides", nil, m{"q": {1, 1, 9}}, sluice.Good, "3.66667"},
		"bad":               {"the average is above", nil, m{"q": {5, 5, 9}}, sluice.Bad, "is above 5"},
		"unknown between":   {"an unknown sample does not count", nil, m{"q": {1, "?", 1, 1}}, sluice.Good, "3 samples"},
		"late between":      {"a late sample does not count", nil, m{"q": {1, "late", 1}}, sluice.Unknown, "2 of 3"},
		"outage":            {"the reason tells what is missing", nil, m{"q": {1, 1, "?"}}, sluice.Unknown, "no data"},
		"two queries":       {"all must be good", nil, m{"p": {1, 1, 1}, "q": {1, 1, "?"}}, sluice.Unknown, "q: "},
		"bad beats unknown": {"one bad query is enough", nil, m{"p": {9, 9, 9}, "q": {"?"}}, sluice.Bad, "p: "},
		"no abort":          {"a bad sample alone does not end it", nil, m{"q": {9}}, sluice.Unknown, ""},
		"abort": {"unless it was asked for", func(a *sluice.Analysis) { a.AbortOnFailedJudgment = true },
			m{"q": {9}}, sluice.Bad, "9 is above 5"},
		"growing": {"the last sample covers everything", func(a *sluice.Analysis) { a.Lookback = "growing" },
			m{"q": {9, 9, 4}}, sluice.Good, "whole time"},
		"growing bad": {"the last sample covers everything", func(a *sluice.Analysis) { a.Lookback = "growing" },
			m{"q": {1, 1, 6}}, sluice.Bad, "6, is above 5"},
	} {
		t.Run(name, func(t *testing.T) {
			a := sluice.Analysis{Runs: 3}
			if test.change != nil {
				test.change(&a)
			}
			var all []sluice.Sample
			for _, q := range []string{"p", "q"} {
				if values, ok := test.values[q]; ok {
					a.Resolved = append(a.Resolved, query(q, 0, 5))
					all = append(all, samples(t, q, values...)...)
				}
			}
			got := analysis.Judge(a, all)
			if got.Verdict != test.verdict || !strings.Contains(got.Reason, test.why) {
				t.Errorf("%s: got %s (%s), want %s (%s)", test.reason, got.Verdict, got.Reason, test.verdict, test.why)
			}
			if diff := cmp.Diff(all, got.Samples); diff != "" {
				t.Errorf("the evidence is not what was judged: %s", diff)
			}
		})
	}
}

func TestAddKeepsAnOutageSmall(t *testing.T) {
	outage := make([]any, 600)
	for i := range outage {
		outage[i] = "?"
	}
	got := samples(t, "q", outage...)
	if len(got) != 1 || got[0].End.Sub(got[0].Start) != 600*time.Second {
		t.Fatalf("600 unknown answers became %d samples, the first spanning %s", len(got), got[0].End.Sub(got[0].Start))
	}
	if got := samples(t, "q", "?", 1, "?", "late", "late"); len(got) != 4 {
		t.Errorf("got %d samples, want 4: only unbroken rows are joined", len(got))
	}
}
