package account_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/accounttest"
)

// talker is the image of ../cmd/talker.
const talker = "docker.io/sluice-e2e/talker:1"

// TestAccount holds the account to what every account promises. The other tests are about what clusters alone do.
func TestAccount(t *testing.T) {
	accounttest.Run(t, func(t *testing.T) accounttest.World { return fresh(t, "") })
}

// TestVolumes holds it to what it promises of volumes, with storage that has snapshots.
func TestVolumes(t *testing.T) {
	for _, class := range []string{"csi", "csi-wait"} {
		t.Run(class, func(t *testing.T) {
			accounttest.RunVolumes(t, func(t *testing.T) accounttest.World { return fresh(t, class) })
		})
	}
}

func fresh(t *testing.T, class string) accounttest.World {
	t.Parallel()
	w := newWorld(t)
	return accounttest.World{
		Account: w.Abilities(), Namespace: w.namespace, Class: class, Container: talking,
		Exec: func(text string, status int) []string {
			return []string{"/talker", "say", fmt.Sprint(status), text, ""}
		},
		Write: w.put, Read: w.get, Edit: w.edit,
		ScaleByHand: func(ref sluice.Ref, replicas int) error {
			w.other("kubectl", "deployments", ref.Name, fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas), "scale")
			return nil
		},
		Following: 20 * time.Second,
	}
}

// talking is a container that runs the program.
func talking(p accounttest.Program, version int) map[string]any {
	c := map[string]any{
		"name": "main", "image": talker, "imagePullPolicy": "Never",
		"env": []any{map[string]any{"name": "VERSION", "value": fmt.Sprint(version)}},
	}
	switch p {
	case accounttest.Breaks:
		c["image"] = "NOT/A/NAME"
	case accounttest.Speaks:
		c["args"] = []any{"wait", "one\ntwo\nthree"}
	case accounttest.Ends:
		c["args"] = []any{"say", "0", "", ""}
	case accounttest.Fails:
		c["args"] = []any{"say", "3", "no such table\n", ""}
	default:
		probe := map[string]any{
			"httpGet":       map[string]any{"path": "/ready", "port": int64(8080)},
			"periodSeconds": int64(1), "failureThreshold": int64(1),
		}
		if c["readinessProbe"] = probe; p == accounttest.Starts {
			probe["initialDelaySeconds"] = int64(3)
		}
		if p == accounttest.Falls {
			c["args"] = []any{"fall"}
		}
	}
	return c
}

// edit changes a ConfigMap in the name of somebody else.
func (w *world) edit(ref sluice.Ref, change func(sluice.Object)) (owner string, err error) {
	client := w.others.Resource(schema.GroupVersionResource{Version: "v1",
		Resource: strings.ToLower(ref.Kind) + "s"}).Namespace(w.namespace)
	u, err := client.Get(w.Context(), ref.Name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	o := sluice.Object(u.Object)
	change(o)
	_, err = client.Update(w.Context(), &unstructured.Unstructured{Object: o}, metav1.UpdateOptions{FieldManager: "them"})
	return "them", err
}
