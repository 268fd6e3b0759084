package analysis

import (
	"fmt"
	"strings"

	"github.com/sluice-cd/sluice"
)

// Growing is the lookback in which every sample covers the time since the analysis began.
const Growing = "growing"

// Judge judges the samples so far, which are in the order in which they were taken. Only good and bad samples count.
//
// A query is judged once it has a.Runs such samples: by their average, or, if the lookback is growing, by the last one,
// which covers the whole time. One bad query makes the judgment Bad, even if others are still unknown. With
// AbortOnFailedJudgment one bad sample is enough. The judgment is Good once every query is good, and Unknown until
// then; the reason says what is missing.
func Judge(a sluice.Analysis, samples []sluice.Sample) sluice.Judgment {
	j := sluice.Judgment{Samples: samples}
	if s, ok := firstBad(samples); ok && a.AbortOnFailedJudgment {
		j.Verdict, j.Reason = sluice.Bad, fmt.Sprintf("%s: %s", s.Query, s.Reason)
		return j
	}
	found := map[sluice.Verdict][]string{}
	for _, q := range a.Resolved {
		verdict, reason := judgeQuery(a, q, samples)
		found[verdict] = append(found[verdict], q.Name+": "+reason)
	}
	for _, v := range []sluice.Verdict{sluice.Bad, sluice.Unknown, sluice.Good} {
		if len(found[v]) > 0 {
			j.Verdict, j.Reason = v, strings.Join(found[v], "; ")
			return j
		}
	}
	j.Verdict, j.Reason = sluice.Unknown, "there is no query to judge by"
	return j
}

func judgeQuery(a sluice.Analysis, q sluice.Query, samples []sluice.Sample) (sluice.Verdict, string) {
	var sum, last float64
	n, why := 0, ""
	for _, s := range samples {
		if s.Query != q.Name {
			continue
		}
		if !known(s) || s.Value == nil {
			why = s.Reason
			continue
		}
		n, sum, last, why = n+1, sum+*s.Value, *s.Value, ""
	}
	if n < max(a.Runs, 1) {
		return sluice.Unknown, missing(a, n, why)
	}
	value, what := sum/float64(n), fmt.Sprintf("the average of %d samples", n)
	if n == 1 {
		what = "the only sample"
	}
	if a.Lookback == Growing {
		value, what = last, "the value over the whole time"
	}
	verdict, reason := within(q, value)
	if verdict == sluice.Good {
		reason = number(value) + " is within its limits"
	}
	return verdict, what + ", " + strings.Replace(reason, " is ", ", is ", 1)
}

// Taken returns how many samples every query has, as far as they count.
func Taken(a sluice.Analysis, samples []sluice.Sample) int {
	least := max(a.Runs, 1)
	for _, q := range a.Resolved {
		n := 0
		for _, s := range samples {
			if s.Query == q.Name && known(s) {
				n++
			}
		}
		least = min(least, n)
	}
	return least
}

func missing(a sluice.Analysis, n int, why string) string {
	s := fmt.Sprintf("%d of %d samples", n, max(a.Runs, 1))
	if why != "" {
		s += ", the latest one is missing: " + why
	}
	return s
}

func firstBad(samples []sluice.Sample) (sluice.Sample, bool) {
	for _, s := range samples {
		if s.Verdict == sluice.Bad {
			return s, true
		}
	}
	return sluice.Sample{}, false
}
