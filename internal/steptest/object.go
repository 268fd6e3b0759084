package steptest

import (
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
	case "Deployment", "StatefulSet":
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

var _ sluice.Account = (*Account)(nil)
