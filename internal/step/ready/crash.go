package ready

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

// crashes finds the first pod of each workload that crashes while somebody waits for the workload.
type crashes struct {
	account  sluice.Account
	restarts map[sluice.Ref]map[string]int // of the pods, when the wait began; nil of a workload that was ready then
	words    map[sluice.Ref]string
}

func newCrashes(a sluice.Account) crashes {
	return crashes{account: a, restarts: map[sluice.Ref]map[string]int{}, words: map[sluice.Ref]string{}}
}

// of returns how a pod of the workload crashed, with its last lines below; "" if none did, or the account cannot say.
// Later crashes of the workload change nothing about it.
func (c crashes) of(ctx context.Context, workload sluice.Ref) string {
	if c.words[workload] != "" {
		return c.words[workload]
	}
	pods, err := c.account.Pods(ctx, workload.Namespace, workload)
	if err != nil {
		return ""
	}
	before := c.restarts[workload]
	if before == nil {
		c.restarts[workload] = map[string]int{}
	}
	for _, p := range pods {
		if before == nil {
			c.restarts[workload][p.Name] = p.Restarts
			continue
		}
		if p.Owner == workload.String() && p.Restarts > before[p.Name] {
			c.words[workload] = c.lastOf(ctx, p)
			break
		}
	}
	return c.words[workload]
}

// look asks for a crash that no event before told of. It asks only about a workload that was waited for.
func (c crashes) look(ctx context.Context, workload sluice.Ref) {
	if c.restarts[workload] != nil {
		c.of(ctx, workload)
	}
}

// among returns those of the workloads of which a pod crashed.
func (c crashes) among(workloads []sluice.Ref) []sluice.Ref {
	return slices.DeleteFunc(slices.Clone(workloads), func(r sluice.Ref) bool { return c.words[r] == "" })
}

func (c crashes) lastOf(ctx context.Context, p sluice.Pod) string {
	lines, _ := LastLines(ctx, c.account, p, tail) // the failure that may follow says why there are none
	how := strings.TrimSuffix("crashed: "+p.LastEnd, ": ")
	return fmt.Sprintf("\npod %s %s (restarts: %d)%s", p.Name, how, p.Restarts, lines)
}
