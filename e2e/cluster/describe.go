package cluster

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// describe logs why pods of the namespace did not run: each pod that has not ended, the conditions of the nodes and the
// warnings of the namespace.
func describe(t *testing.T, client kubernetes.Interface, namespace string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var b strings.Builder
	if nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{}); err == nil {
		for _, n := range nodes.Items {
			fmt.Fprintf(&b, "node %s, taints %v:", n.Name, n.Spec.Taints)
			for _, c := range n.Status.Conditions {
				fmt.Fprintf(&b, " %s=%s since %s", c.Type, c.Status, c.LastTransitionTime.Format(time.TimeOnly))
			}
			b.WriteByte('\n')
		}
	}
	if pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{}); err == nil {
		for _, p := range pods.Items {
			if p.Status.Phase != corev1.PodSucceeded {
				fmt.Fprintf(&b, "pod %s is %s, conditions %v, containers %v\n",
					p.Name, p.Status.Phase, p.Status.Conditions, p.Status.ContainerStatuses)
			}
		}
	}
	if events, err := client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{}); err == nil {
		for _, e := range events.Items {
			if e.Type == corev1.EventTypeWarning {
				fmt.Fprintf(&b, "%s %d× %s/%s %s: %s\n", e.LastTimestamp.Format(time.TimeOnly), e.Count,
					e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Reason, e.Message)
			}
		}
	}
	t.Logf("namespace %s:\n%s", namespace, b.String())
}
