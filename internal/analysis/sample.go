package analysis

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/sluice-cd/sluice"
)

// An Answer is a metric provider's answer for the time from Start to End: a value, or why there is none.
type Answer struct {
	Start, End time.Time
	Value      float64
	Err        error
	WellFormed bool // the provider has answered the query before
}

// Sample gives the answer its verdict. Limits are inclusive. An answer without a number is Unknown, whatever is wrong
// with the provider, and Late if it did not come in time. Only a query that is Invalid and was never answered is an
// error: no later answer can heal it. A query that was answered once is not malformed, whatever comes later.
func Sample(q sluice.Query, a Answer) (sluice.Sample, error) {
	s := sluice.Sample{Query: q.Name, Start: a.Start, End: a.End}
	if a.Err != nil {
		return withoutValue(s, a)
	}
	if math.IsNaN(a.Value) || math.IsInf(a.Value, 0) {
		s.Verdict, s.Reason = sluice.Unknown, fmt.Sprintf("the answer is %v, which is not a number", a.Value)
		return s, nil
	}
	s.Value = &a.Value
	s.Verdict, s.Reason = within(q, a.Value)
	return s, nil
}

func withoutValue(s sluice.Sample, a Answer) (sluice.Sample, error) {
	if errors.Is(a.Err, context.DeadlineExceeded) {
		s.Verdict, s.Reason = sluice.Late, "no answer came in time"
		return s, nil
	}
	if sluice.ErrorCode(a.Err) == sluice.Invalid && !a.WellFormed {
		return sluice.Sample{}, a.Err
	}
	s.Verdict, s.Reason = sluice.Unknown, a.Err.Error()
	return s, nil
}

func within(q sluice.Query, value float64) (sluice.Verdict, string) {
	if q.Upper != nil && value > *q.Upper {
		return sluice.Bad, fmt.Sprintf("%s is above %s", number(value), number(*q.Upper))
	}
	if q.Lower != nil && value < *q.Lower {
		return sluice.Bad, fmt.Sprintf("%s is below %s", number(value), number(*q.Lower))
	}
	return sluice.Good, ""
}

// Add appends the sample. Consecutive unknown or late answers of one query for the same reason become one sample, so
// that a long outage stays small.
func Add(samples []sluice.Sample, s sluice.Sample) []sluice.Sample {
	for i := len(samples) - 1; i >= 0; i-- {
		last := &samples[i]
		if last.Query != s.Query {
			continue
		}
		if known(*last) || known(s) || last.Verdict != s.Verdict || last.Reason != s.Reason {
			break
		}
		last.End = s.End
		return samples
	}
	return append(samples, s)
}

// Now says in words what a query answers that was asked once, before anything starts.
func Now(s sluice.Sample) string {
	if s.Value == nil {
		return fmt.Sprintf("query %s has no value now: %s", s.Query, s.Reason)
	}
	return fmt.Sprintf("query %s is %s now, which is %s", s.Query, number(*s.Value), s.Verdict)
}

func known(s sluice.Sample) bool { return s.Verdict == sluice.Good || s.Verdict == sluice.Bad }

func number(v float64) string { return fmt.Sprintf("%.6g", v) }
