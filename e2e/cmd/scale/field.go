package main

import (
	"context"
	"errors"
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
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	watchtools "k8s.io/client-go/tools/watch"
)

// A field is a namespace with applications.
type field struct {
	place
	shape
	namespace string
}

// A place is a cluster in which something is measured.
type place struct {
	client     *kubernetes.Clientset
	config     *rest.Config
	kubeconfig string // of the measured process
	audit      string // the API server's record; "": there is none
}

// placeOf returns the cluster of a context of a kubeconfig, "" for the current one.
func placeOf(kubeconfig, name string) (place, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: kubeconfig}, &clientcmd.ConfigOverrides{CurrentContext: name},
	).ClientConfig()
	if err != nil {
		return place{}, err
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	return place{client: client, config: config, kubeconfig: kubeconfig}, err
}

// writers is how many updates, or releases, begin at the same time.
const writers = 50

// on works in a namespace of its own and waits until it is deleted, so nothing disturbs the next measurement.
func on(ctx context.Context, p place, name string, s shape, work func(*field) error) (err error) {
	f := &field{place: p, shape: s, namespace: fmt.Sprintf("scale-%s-%s", name, s)}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: f.namespace}}
	if _, err := p.client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.clear(ctx)) }()
	return work(f)
}

// clear deletes the namespace and waits until it is gone.
func (f *field) clear(ctx context.Context) error {
	namespaces := f.client.CoreV1().Namespaces()
	if err := namespaces.Delete(ctx, f.namespace, metav1.DeleteOptions{}); err != nil {
		return err
	}
	this := cache.NewListWatchFromClient(f.client.CoreV1().RESTClient(), "namespaces", "",
		fields.OneTermEqualSelector("metadata.name", f.namespace))
	isGone := func(s cache.Store) (bool, error) { return len(s.List()) == 0, nil }
	_, err := watchtools.UntilWithSync(ctx, this, &corev1.Namespace{}, isGone, func(e watch.Event) (bool, error) {
		return e.Type == watch.Deleted, nil
	})
	return err
}

// create creates the Deployments and waits until all are available.
func (f *field) create(ctx context.Context) error {
	return f.write(ctx, "image:1", func(ctx context.Context, name string) error {
		_, err := f.client.AppsV1().Deployments(f.namespace).Create(ctx, f.deployment(name), metav1.CreateOptions{})
		return err
	})
}

func (f *field) deployment(name string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	count := int32(f.replicas)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &count,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "image:1"}}},
			},
		},
	}
}

// update changes the image of every Deployment and waits until all have it.
func (f *field) update(ctx context.Context) (time.Duration, error) {
	begun := time.Now()
	err := f.write(ctx, "image:2", func(ctx context.Context, name string) error {
		patch := []byte(`{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"image:2"}]}}}}`)
		_, err := f.client.AppsV1().Deployments(f.namespace).Patch(ctx, name, types.StrategicMergePatchType, patch,
			metav1.PatchOptions{})
		return err
	})
	return time.Since(begun), err
}

// write writes every Deployment and waits until each has the image.
func (f *field) write(ctx context.Context, image string, write func(ctx context.Context, name string) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(1 + writers) // and await
	g.Go(func() error { return f.await(ctx, image) })
	for i := range f.n {
		g.Go(func() error { return write(ctx, fmt.Sprintf("plain-%d", i)) })
	}
	return g.Wait()
}

// await returns when all Deployments have the image and have settled. On a busy machine an API server ends watches that
// fall behind; await starts such a watch again.
func (f *field) await(ctx context.Context, image string) error {
	settled := map[string]bool{}
	everything := cache.NewListWatchFromClient(f.client.AppsV1().RESTClient(), "deployments", f.namespace,
		fields.Everything())
	_, err := watchtools.UntilWithSync(ctx, everything, &appsv1.Deployment{}, nil, func(e watch.Event) (bool, error) {
		if d, ok := e.Object.(*appsv1.Deployment); ok && f.isSettled(d) && d.Spec.Template.Spec.Containers[0].Image == image {
			settled[d.Name] = true
		}
		return len(settled) == f.n, nil
	})
	if err != nil {
		return fmt.Errorf("%d of %d Deployments have %s: %w", len(settled), f.n, image, err)
	}
	return nil
}

func (f *field) isSettled(d *appsv1.Deployment) bool {
	s, want := d.Status, int32(f.replicas)
	return s.ObservedGeneration >= d.Generation && s.UpdatedReplicas == want && s.AvailableReplicas == want &&
		s.Replicas == want
}
