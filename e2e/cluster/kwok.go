package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fastStages make nodes and pods ready, and delete them, at once.
var fastStages = []string{
	"kustomize/stage/node/fast/node-initialize.yaml",
	"kustomize/stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
	"kustomize/stage/pod/fast/pod-ready.yaml",
	"kustomize/stage/pod/fast/pod-complete.yaml",
	"kustomize/stage/pod/fast/pod-delete.yaml",
}

// UpKWOK returns the cluster for large tests: a real control plane, and nodes
// that KWOK simulates, on which every pod is ready at once and runs nothing. It
// has at least the given number of nodes, each with room for a thousand pods.
// Otherwise it is like Up.
func UpKWOK(ctx context.Context, o Options, nodes int) (*Cluster, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	unlock, err := o.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	c := o.newCluster(kwok)
	complete := func(s *spec) error { return s.completeKWOK(ctx) }
	if err := o.upAll(ctx, []*Cluster{c}, complete, nodeProgram, kwokProgram, supervisorProgram); err != nil {
		return nil, err
	}
	return c, c.addNodes(ctx, nodes)
}

func (s *spec) completeKWOK(ctx context.Context) error {
	module, err := moduleFiles(ctx, "kwok", "sigs.k8s.io/kwok")
	if err != nil {
		return err
	}
	var stages []string
	for _, file := range fastStages {
		// The module cache may be in a directory that the cluster hides.
		data, err := os.ReadFile(filepath.Join(module, file))
		if err != nil {
			return err
		}
		target := s.file("stages", filepath.Base(file))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(target, data, 0o644); err != nil {
			return err
		}
		stages = append(stages, target)
	}
	s.Parts = append(s.controlPlane(), s.fakeNodes(stages))
	return s.audit()
}

// auditPolicy records who wrote which object and what the administrator read, but not the content.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, verbs: [create, update, patch, delete, deletecollection]}
- {level: Metadata, userGroups: [system:masters], verbs: [get, list, watch]}
- {level: None}
`

// audit makes the API server write a line for each such request.
func (s *spec) audit() error {
	if err := os.WriteFile(s.file("audit.yaml"), []byte(auditPolicy), 0o644); err != nil {
		return err
	}
	for i, p := range s.Parts {
		if p.Name == apiServerPart {
			s.Parts[i].Args = append(p.Args, "--audit-policy-file="+s.file("audit.yaml"),
				"--audit-log-path="+s.file("audit.log"), "--audit-log-maxsize=10240")
		}
	}
	return nil
}

// Audit is the file with a line for each request to the API server of fake nodes that auditPolicy names, an event of
// audit.k8s.io/v1.
func (c *Cluster) Audit() string { return c.spec.file("audit.log") }

// addNodes makes the fake nodes that are missing and waits until one is ready.
func (c *Cluster) addNodes(ctx context.Context, count int) error {
	client, err := c.Client()
	if err != nil {
		return err
	}
	for i := range count {
		_, err := client.CoreV1().Nodes().Create(ctx, fakeNode(fmt.Sprintf("fake-%03d", i)), metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return c.awaitNodes(ctx, client, count)
}

func fakeNode(name string) *corev1.Node {
	room := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("1000"),
		corev1.ResourceMemory: resource.MustParse("4Ti"),
		corev1.ResourcePods:   resource.MustParse("1000"),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name,
			Labels: map[string]string{corev1.LabelHostname: name, corev1.LabelOSStable: "linux"}},
		Status: corev1.NodeStatus{Capacity: room, Allocatable: room},
	}
}
