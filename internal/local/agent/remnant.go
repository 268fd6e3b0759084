package agent

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/process"
)

// A Remnant is an account whose agent has died while its pods run on.
type Remnant struct {
	ID    string
	Dir   string
	Gone  bool // the account is no longer in the directory, so no agent can take the pods over
	Block string
	Pods  []sluice.Pod
}

// Remnants returns those of this user, found by the processes that run, sorted by directory.
func Remnants(ctx context.Context) ([]Remnant, error) {
	all, err := process.With(directoryVariable)
	if err != nil {
		return nil, err
	}
	found := map[string]*Remnant{}
	pods := map[string]bool{}
	for _, p := range all {
		id, uid, dir := p.Env["SLUICE_ACCOUNT"], p.Env["SLUICE_POD"], p.Env[directoryVariable]
		if pods[uid] || !isGone(dir, id) && Answers(ctx, dir) {
			continue
		}
		pods[uid] = true
		if found[id] == nil {
			block := fmt.Sprintf("127.%d.0.0/16", blockOf(p.Env[addressVariable]))
			found[id] = &Remnant{ID: id, Dir: dir, Gone: isGone(dir, id), Block: block}
		}
		found[id].Pods = append(found[id].Pods, leftPod(p))
	}
	var remnants []Remnant
	for _, r := range found {
		slices.SortFunc(r.Pods, comparePods)
		remnants = append(remnants, *r)
	}
	slices.SortFunc(remnants, func(a, b Remnant) int { return cmp.Or(cmp.Compare(a.Dir, b.Dir), cmp.Compare(a.ID, b.ID)) })
	return remnants, nil
}

// leftPod describes the pod of a process as far as it is known without an agent.
func leftPod(p process.Marked) sluice.Pod {
	pod := sluice.Pod{Name: p.Env["HOSTNAME"], Reason: "runs without an agent"}
	var r record
	ok, err := readJSON(recordFile(p.Env[directoryVariable], p.Env["SLUICE_POD"]), &r)
	if !ok || err != nil {
		return pod
	}
	pod.Namespace, pod.Name, pod.Owner, pod.Labels = r.Namespace, r.Name, r.ownerName(), maps.Clone(r.Labels)
	pod.Image, pod.Restarts = r.Spec.Containers[0].Image, r.restarts()
	return pod
}

// End ends the pods. Their account stays as it is.
func (r Remnant) End(grace time.Duration) error { return process.End(accountMark(r.ID), grace) }
