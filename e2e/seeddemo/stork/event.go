package stork

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// warn writes an event about the migration, or counts it again. The event outlives the migration.
func (r *run) warn(ctx context.Context, message string) error {
	h := fnv.New32a()
	h.Write([]byte(message))
	name := fmt.Sprintf("%s.%.8s.%08x", r.m.GetName(), r.m.GetUID(), h.Sum32())
	now := time.Now().UTC().Format(time.RFC3339)
	client := r.Client.Resource(events).Namespace(r.m.GetNamespace())
	e, err := client.Get(ctx, name, v1.GetOptions{})
	if err == nil {
		count, _, _ := unstructured.NestedInt64(e.Object, "count")
		e.Object["count"], e.Object["lastTimestamp"] = count+1, now
		_, err = client.Update(ctx, e, v1.UpdateOptions{})
		return err
	}
	if !apierrors.IsNotFound(err) {
		return err
	}
	_, err = client.Create(ctx, &unstructured.Unstructured{Object: object{
		"apiVersion": "v1", "kind": "Event", "metadata": object{"namespace": r.m.GetNamespace(), "name": name},
		"type": "Warning", "reason": "Failed", "message": message, "count": int64(1), "firstTimestamp": now,
		"lastTimestamp": now, "source": object{"component": "stork"},
		"involvedObject": object{
			"apiVersion": group + "/" + version, "kind": "Migration",
			"namespace": r.m.GetNamespace(), "name": r.m.GetName(), "uid": string(r.m.GetUID()),
		},
	}}, v1.CreateOptions{})
	return err
}
