// Package decision reads what a person, or a webhook, has said to a waiting step.
package decision

import (
	"cmp"
	"slices"

	"github.com/sluice-cd/sluice"
)

// Of ends a step by a person's decision: it is Done, or Failed with the person's reason. ok is false while nobody has
// decided.
func Of(p sluice.Progress) (out sluice.Progress, ok bool, err error) {
	if s, no := Said(p, sluice.SignalReject); no {
		return p, true, sluice.Errorf(sluice.Failed, "%s", By("rejected", s))
	}
	verb := map[string]string{sluice.SignalApprove: "approved", sluice.SignalRollForward: "rolled forward"}
	if s, yes := Said(p, sluice.SignalApprove, sluice.SignalRollForward); yes {
		p.State, p.Wait, p.Message = sluice.Done, nil, By(verb[s.Kind], s)
		return p, true, nil
	}
	return p, false, nil
}

// Said returns the first signal of one of the kinds.
func Said(p sluice.Progress, kinds ...string) (sluice.Signal, bool) {
	i := slices.IndexFunc(p.Signals, func(s sluice.Signal) bool { return slices.Contains(kinds, s.Kind) })
	if i < 0 {
		return sluice.Signal{}, false
	}
	return p.Signals[i], true
}

// By names the person who decided, and the reason.
func By(verb string, s sluice.Signal) string {
	text := verb + " by " + cmp.Or(s.By.Name, "somebody")
	if s.Reason != "" {
		text += ": " + s.Reason
	}
	return text
}
