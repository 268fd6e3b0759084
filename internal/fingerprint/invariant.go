package fingerprint

import (
	"fmt"
	"strconv"

	"github.com/sluice-cd/sluice"
)

// JudgeInvariants compares each invariant's value with its baseline and its bounds. An invariant without a value does
// not pass.
func JudgeInvariants(invariants []sluice.Invariant, was, now []sluice.InvariantValue) []sluice.InvariantJudgment {
	var judgments []sluice.InvariantJudgment
	for _, invariant := range invariants {
		judgments = append(judgments, judgeInvariant(invariant, was, now))
	}
	return judgments
}

func judgeInvariant(invariant sluice.Invariant, was, now []sluice.InvariantValue) sluice.InvariantJudgment {
	j := sluice.InvariantJudgment{Name: invariant.Name}
	value, measured := figure(now, invariant.Name)
	baseline, known := figure(was, invariant.Name)
	j.Value, j.Baseline = value, baseline
	if !measured {
		j.Reason = fmt.Sprintf("%s: no value was measured", invariant.Name)
		return j
	}
	for _, bound := range []struct {
		words string
		bound *sluice.Bound
		holds func(limit float64) bool
	}{
		{"at least", invariant.AtLeast, func(limit float64) bool { return value >= limit }},
		{"at most", invariant.AtMost, func(limit float64) bool { return value <= limit }},
		{"equal to", invariant.Equals, func(limit float64) bool { return value == limit }},
	} {
		if bound.bound == nil {
			continue
		}
		limit, of := bound.bound.Value, ""
		if bound.bound.Baseline {
			limit, of = baseline, " of the baseline"
		}
		if bound.bound.Baseline && !known {
			j.Reason = fmt.Sprintf("%s: the baseline has no value to compare with", invariant.Name)
			return j
		}
		if !bound.holds(limit) {
			j.Reason = fmt.Sprintf("%s: %s is not %s the %s%s", invariant.Name, number(value), bound.words, number(limit), of)
			return j
		}
	}
	j.Passed = true
	return j
}

func figure(values []sluice.InvariantValue, name string) (float64, bool) {
	for _, v := range values {
		if v.Name == name {
			return v.Value, true
		}
	}
	return 0, false
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
