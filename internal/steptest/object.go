package steptest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/sluice-cd/sluice"
)

// normal returns the object as read from JSON, so that numbers compare.
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

// same compares values by their JSON.
func same(a, b any) bool {
	return reflect.DeepEqual(normal(sluice.Object{"": a}), normal(sluice.Object{"": b}))
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

// intent returns the object without what the account says about it.
func intent(o sluice.Object) sluice.Object {
	o = o.Clone()
	delete(o, "status")
	meta, _ := asMap(o["metadata"])
	for _, field := range []string{"resourceVersion", "generation", "uid", "managedFields", "creationTimestamp"} {
		delete(meta, field)
	}
	return o
}

// images returns the images of the object's pods.
func images(o sluice.Object) string {
	var list []string
	for _, c := range o.List("spec", "template", "spec", "containers") {
		list = append(list, c.Text("image"))
	}
	return strings.Join(list, ",")
}

// hash returns the hash of a workload's template.
func hash(o sluice.Object) string {
	raw, err := json.Marshal(o.Field("spec", "template"))
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(raw))[:8]
}

// settle gives the object the status that its controller would finally write.
func (a *Account) settle(o sluice.Object) sluice.Object {
	want, ready := o.Number(1, "spec", "replicas"), 0
	if a.sound(o) {
		ready = want
	}
	seen := map[string]any{"observedGeneration": int64(o.Number(1, "metadata", "generation"))}
	switch o.Text("kind") {
	case "StatefulSet":
		a.settleOrdered(o, seen, want, max(0, ready-a.unreadyPods(o)))
		o["status"] = seen
	case "Deployment":
		ready = a.count(o, seen)
		o["status"] = seen
	case "Job":
		condition := "Complete"
		if strings.Contains(images(o), "fails") {
			condition = "Failed"
		}
		if o.Field("spec", "suspend") == true {
			condition = "Suspended"
		}
		o["status"] = conditions(condition, "it ended with status 1")
		if strings.Contains(images(o), "unready") {
			o["status"] = map[string]any{"active": int64(1)}
		}
	case "PersistentVolumeClaim":
		o["status"] = map[string]any{"phase": "Bound"}
	case "PodDisruptionBudget":
		o["status"] = map[string]any{"currentHealthy": int64(a.healthy(o))}
	}
	if _, rolls := o.Field("status", "updatedReplicas").(int64); rolls && want > 0 && a.stalled(o) {
		seen["conditions"] = conditions("Stalled",
			fmt.Sprintf("%d of %d replicas ready; %s", ready, want, crashing))["conditions"]
	}
	return o
}

func conditions(kind, message string) map[string]any {
	return map[string]any{"conditions": []any{map[string]any{"type": kind, "status": "True", "message": message}}}
}

// settleOrdered gives the ordinals that the partition lets through the wanted revision, and none of those that exist
// already under the strategy OnDelete: they change when they are evicted.
func (a *Account) settleOrdered(o sluice.Object, seen map[string]any, want, ready int) {
	revision := o.Text("metadata", "name") + "-" + hash(o)
	current := o.Text("status", "currentRevision")
	was, _ := asMap(o.Field("status", "pods"))
	pods, updated := map[string]any{}, 0
	for i := range want {
		name := fmt.Sprintf("%s-%d", o.Text("metadata", "name"), i)
		partitioned := i < o.Number(0, "spec", "updateStrategy", "rollingUpdate", "partition")
		pods[name] = revision
		switch {
		case was[name] != nil && (partitioned || o.Text("spec", "updateStrategy", "type") == "OnDelete"):
			pods[name] = was[name]
		case partitioned && current != "":
			pods[name] = current
		}
		if pods[name] == revision {
			updated++
		}
		if pods[name] != was[name] && strings.Contains(images(o), "slow") {
			a.startSlowly(o.Ref(), name)
		}
		if ready > 0 && a.starting[o.Ref().Namespace+"/"+name] {
			ready--
		}
	}
	for field, n := range map[string]int{
		"replicas": want, "updatedReplicas": updated, "readyReplicas": ready, "availableReplicas": ready,
	} {
		seen[field] = int64(n)
	}
	if updated == want && o.Text("spec", "updateStrategy", "type") != "OnDelete" || current == "" {
		current = revision
	}
	seen["pods"], seen["updateRevision"], seen["currentRevision"] = pods, revision, current
}
