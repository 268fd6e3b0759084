package steptest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sluice-cd/sluice"
)

// normal is the object as JSON reads it back, so that numbers compare.
func normal(o sluice.Object) sluice.Object {
	raw, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	var out sluice.Object
	if err := json.Unmarshal(raw, &out); err != nil {
		panic(err)
	}
	return out
}

// merge lays what is wanted over what is there. Lists are replaced.
func merge(now, want any) any {
	n, ok := asMap(now)
	w, both := asMap(want)
	if !ok || !both {
		return want
	}
	for key, v := range w {
		n[key] = merge(n[key], v)
	}
	return n
}

// prune takes out of now what was applied last and is wanted no more.
func prune(now sluice.Object, last, want sluice.Object) sluice.Object {
	pruneMap(now, last, want)
	return now
}

func pruneMap(now, last, want map[string]any) {
	for key, was := range last {
		w, wanted := want[key]
		if !wanted {
			delete(now, key)
			continue
		}
		n, ok1 := asMap(now[key])
		l, ok2 := asMap(was)
		v, ok3 := asMap(w)
		if ok1 && ok2 && ok3 {
			pruneMap(n, l, v)
		}
	}
}

func asMap(v any) (map[string]any, bool) {
	switch v := v.(type) {
	case map[string]any:
		return v, true
	case sluice.Object:
		return v, true
	}
	return nil, false
}

// settle gives the object the status that its controller would write in the end.
func settle(o sluice.Object) sluice.Object {
	want, ready := o.Number(1, "spec", "replicas"), 0
	if sound(o) {
		ready = want
	}
	seen := map[string]any{"observedGeneration": int64(o.Number(1, "metadata", "generation"))}
	switch o.Text("kind") {
	case "StatefulSet":
		settleOrdered(o, seen, want, ready)
		o["status"] = seen
	case "Deployment":
		for field, n := range map[string]int{"replicas": want, "updatedReplicas": want, "readyReplicas": ready, "availableReplicas": ready, "currentReplicas": want} {
			seen[field] = int64(n)
		}
		o["status"] = seen
	case "Job":
		condition := "Complete"
		if strings.Contains(images(o), "fails") {
			condition = "Failed"
		}
		o["status"] = map[string]any{"conditions": []any{map[string]any{"type": condition, "status": "True", "message": "it ended with status 1"}}}
	case "PersistentVolumeClaim":
		o["status"] = map[string]any{"phase": "Bound"}
	}
	return o
}

// settleOrdered gives the ordinals that the partition lets through the wanted revision, and none of those that are
// there already under the strategy OnDelete: they change when they are evicted.
func settleOrdered(o sluice.Object, seen map[string]any, want, ready int) {
	revision := fmt.Sprintf("%s-%x", o.Text("metadata", "name"), sha256.Sum256([]byte(fmt.Sprint(o.Field("spec", "template")))))
	was, _ := o.Field("status", "pods").(map[string]any)
	pods, updated := map[string]any{}, 0
	for i := range want {
		name := fmt.Sprintf("%s-%d", o.Text("metadata", "name"), i)
		held := i < o.Number(0, "spec", "updateStrategy", "rollingUpdate", "partition") || o.Text("spec", "updateStrategy", "type") == "OnDelete"
		if pods[name] = revision; was[name] != nil && held {
			pods[name] = was[name]
		}
		if pods[name] == revision {
			updated++
		}
	}
	for field, n := range map[string]int{"replicas": want, "updatedReplicas": updated, "readyReplicas": ready, "availableReplicas": ready} {
		seen[field] = int64(n)
	}
	seen["pods"], seen["updateRevision"] = pods, revision
	if seen["currentRevision"] = revision; updated < want {
		seen["currentRevision"] = "old"
	}
}

// podsOf returns the pods of a workload.
func podsOf(ref sluice.Ref, o sluice.Object) []sluice.Pod {
	labels := map[string]string{}
	for k, v := range o.Clone().Field("spec", "template", "metadata", "labels").(map[string]any) {
		labels[k] = fmt.Sprint(v)
	}
	var pods []sluice.Pod
	for i := range o.Number(1, "spec", "replicas") {
		p := sluice.Pod{Namespace: ref.Namespace, Name: fmt.Sprintf("%s-%d-%d", ref.Name, o.Number(1, "metadata", "generation"), i), Owner: ref.String(), Image: images(o), Ready: sound(o), Labels: labels}
		if ref.Kind == "StatefulSet" {
			p.Name = fmt.Sprintf("%s-%d", ref.Name, i)
			p.Revision = o.Text("status", "pods", p.Name)
			p.Labels = map[string]string{"statefulset.kubernetes.io/pod-name": p.Name}
		}
		if !p.Ready {
			p.Reason = "CrashLoopBackOff"
		}
		pods = append(pods, p)
	}
	return pods
}

func sound(o sluice.Object) bool { return !strings.Contains(images(o), "broken") }

// images returns the images of the object's pods.
func images(o sluice.Object) string {
	containers, _ := o.Field("spec", "template", "spec", "containers").([]any)
	var list []string
	for _, c := range containers {
		m, _ := asMap(c)
		list = append(list, fmt.Sprint(m["image"]))
	}
	return strings.Join(list, ",")
}
