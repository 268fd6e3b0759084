package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/sluice-cd/sluice/e2e/cluster"
)

// A field is a namespace with Deployments to deliver to.
type field struct {
	client     *kubernetes.Clientset
	kubeconfig string
	namespace  string
	n          int
}

// replicas of each Deployment: more pods would measure the cluster's own controllers.
const replicas = 1

// newField makes n Deployments for the canaries and n for the plain update, and waits until all are available.
func newField(ctx context.Context, c *cluster.Cluster, n int) (*field, error) {
	config, err := c.Config()
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	f := &field{client: client, kubeconfig: c.Kubeconfig, namespace: fmt.Sprintf("scale-%d-%d", n, time.Now().Unix()), n: n}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: f.namespace}}
	if _, err := client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
		return nil, err
	}
	return f, f.update(ctx, "plain", "image:1", func(ctx context.Context, name string) error {
		_, err := client.AppsV1().Deployments(f.namespace).Create(ctx, deployment(name, "image:1"), metav1.CreateOptions{})
		return err
	})
}

func deployment(name, image string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	count := int32(replicas)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &count,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: image}}},
			},
		},
	}
}

// plainUpdate changes the image of every Deployment and waits until all have it.
func (f *field) plainUpdate(ctx context.Context) (time.Duration, error) {
	begun := time.Now()
	err := f.update(ctx, "plain", "image:2", func(ctx context.Context, name string) error {
		patch := []byte(`{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"image:2"}]}}}}`)
		_, err := f.client.AppsV1().Deployments(f.namespace).Patch(ctx, name, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
		return err
	})
	return time.Since(begun), err
}

// update writes every Deployment of the kind and waits until each is as written.
func (f *field) update(ctx context.Context, kind, image string, write func(ctx context.Context, name string) error) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(50)
	g.Go(func() error { return f.await(ctx, kind, image) })
	for i := range f.n {
		g.Go(func() error { return write(ctx, fmt.Sprintf("%s-%d", kind, i)) })
	}
	return g.Wait()
}

// await returns when every Deployment of the kind has been seen with the image and at rest. On a busy machine an API server ends
// watches that fall behind: such a one is taken up again.
func (f *field) await(ctx context.Context, kind, image string) error {
	left := map[string]bool{}
	for i := range f.n {
		left[fmt.Sprintf("%s-%d", kind, i)] = true
	}
	everything := cache.NewListWatchFromClient(f.client.AppsV1().RESTClient(), "deployments", f.namespace, fields.Everything())
	_, err := watchtools.UntilWithSync(ctx, everything, &appsv1.Deployment{}, nil, func(e watch.Event) (bool, error) {
		if d, ok := e.Object.(*appsv1.Deployment); ok && isSettled(d) && d.Spec.Template.Spec.Containers[0].Image == image {
			delete(left, d.Name)
		}
		return len(left) == 0, nil
	})
	if err != nil {
		return fmt.Errorf("%d Deployments are not as written: %w", len(left), err)
	}
	return nil
}

func isSettled(d *appsv1.Deployment) bool {
	s := d.Status
	return s.ObservedGeneration >= d.Generation && s.UpdatedReplicas == replicas && s.AvailableReplicas == replicas && s.Replicas == replicas
}

func (f *field) clear(ctx context.Context) {
	_ = f.client.CoreV1().Namespaces().Delete(ctx, f.namespace, metav1.DeleteOptions{}) // the cluster is only for this
}
