// Package volume gives every PersistentVolumeClaim of the test clusters a
// directory of the machine, at once, and removes it when the claim is gone.
//
// It imports client-go. Start with Run; cluster runs it as the part "volumes".
package volume

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

const (
	// Class is the name of the default StorageClass.
	Class       = "standard"
	provisioner = "sluice.e2e/directory"
	// The names that Kubernetes and its tools use.
	defaultAnnotation     = "storageclass.kubernetes.io/is-default-class"
	provisionedAnnotation = "pv.kubernetes.io/provisioned-by"
)

type controller struct {
	client  kubernetes.Interface
	dir     string
	claims  listers.PersistentVolumeClaimLister
	volumes listers.PersistentVolumeLister
	queue   workqueue.TypedRateLimitingInterface[key]
}

// A key names a claim, or a volume if it has no namespace.
type key struct{ namespace, name string }

// Run creates the default StorageClass and serves it with directories in dir
// until ctx ends. After an interruption it continues where it was.
func Run(ctx context.Context, client kubernetes.Interface, dir string) error {
	if err := ensureClass(ctx, client); err != nil {
		return fmt.Errorf("make the storage class: %w", err)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	claims, volumes := factory.Core().V1().PersistentVolumeClaims(), factory.Core().V1().PersistentVolumes()
	c := &controller{
		client: client, dir: dir, claims: claims.Lister(), volumes: volumes.Lister(),
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[key](100*time.Millisecond, 10*time.Second)),
	}
	for _, informer := range []cache.SharedIndexInformer{claims.Informer(), volumes.Informer()} {
		if _, err := informer.AddEventHandler(c.handler()); err != nil {
			return err
		}
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	context.AfterFunc(ctx, c.queue.ShutDown)
	for c.next(ctx) {
	}
	return nil
}

func ensureClass(ctx context.Context, client kubernetes.Interface) error {
	reclaim, binding := corev1.PersistentVolumeReclaimDelete, storagev1.VolumeBindingImmediate
	_, err := client.StorageV1().StorageClasses().Create(ctx, &storagev1.StorageClass{
		ObjectMeta:  metav1.ObjectMeta{Name: Class, Annotations: map[string]string{defaultAnnotation: "true"}},
		Provisioner: provisioner, ReclaimPolicy: &reclaim, VolumeBindingMode: &binding,
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func (c *controller) handler() cache.ResourceEventHandler {
	add := func(o any) {
		meta, ok := o.(metav1.Object)
		if !ok {
			return // a deleted object needs nothing more
		}
		c.queue.Add(key{meta.GetNamespace(), meta.GetName()})
	}
	return cache.ResourceEventHandlerFuncs{AddFunc: add, UpdateFunc: func(_, o any) { add(o) }}
}

func (c *controller) next(ctx context.Context) bool {
	k, quit := c.queue.Get()
	if quit {
		return false
	}
	defer c.queue.Done(k)
	sync := c.provision
	if k.namespace == "" {
		sync = c.reclaim
	}
	if err := sync(ctx, k); err != nil && !apierrors.IsNotFound(err) {
		fmt.Fprintf(os.Stderr, "%s/%s: %v\n", k.namespace, k.name, err)
		c.queue.AddRateLimited(k)
		return true
	}
	c.queue.Forget(k)
	return true
}

// provision creates a directory and its volume for a claim of the class.
// Kubernetes binds them.
func (c *controller) provision(ctx context.Context, k key) error {
	claim, err := c.claims.PersistentVolumeClaims(k.namespace).Get(k.name)
	if err != nil {
		return err
	}
	if claim.Spec.VolumeName != "" || claim.DeletionTimestamp != nil || claim.Spec.StorageClassName == nil ||
		*claim.Spec.StorageClassName != Class || claim.Spec.Selector != nil {
		return nil
	}
	volume := c.volumeFor(claim)
	if err := os.MkdirAll(volume.Spec.HostPath.Path, 0o777); err != nil {
		return err
	}
	// Any user of the pod must be able to write, whatever the mask of this process is.
	if err := os.Chmod(volume.Spec.HostPath.Path, 0o777); err != nil {
		return err
	}
	_, err = c.client.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func (c *controller) volumeFor(claim *corev1.PersistentVolumeClaim) *corev1.PersistentVolume {
	name, kind := "pvc-"+string(claim.UID), corev1.HostPathDirectory
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{provisionedAnnotation: provisioner}},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      claim.Spec.Resources.Requests,
			AccessModes:                   claim.Spec.AccessModes,
			StorageClassName:              Class,
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			ClaimRef: &corev1.ObjectReference{APIVersion: "v1", Kind: "PersistentVolumeClaim",
				Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID},
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				HostPath: &corev1.HostPathVolumeSource{Path: filepath.Join(c.dir, name), Type: &kind},
			},
		},
	}
}

// reclaim removes a released volume of the class, its data first.
func (c *controller) reclaim(ctx context.Context, k key) error {
	volume, err := c.volumes.Get(k.name)
	if err != nil {
		return err
	}
	ours := volume.Annotations[provisionedAnnotation] == provisioner
	if !ours || volume.Status.Phase != corev1.VolumeReleased ||
		volume.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
		return nil
	}
	if err := os.RemoveAll(filepath.Join(c.dir, volume.Name)); err != nil {
		return err
	}
	return c.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{})
}
