package storage_test

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/sluice-cd/sluice/e2e/cluster"
	"github.com/sluice-cd/sluice/e2e/csi"
)

// snapshots is the resource of VolumeSnapshots, contents that of what they are bound to.
var (
	snapshots = csi.SnapshotClasses.GroupVersion().WithResource("volumesnapshots")
	contents  = csi.SnapshotClasses.GroupVersion().WithResource("volumesnapshotcontents")
)

// A fixture is a namespace of a cluster, for one test.
type fixture struct {
	*testing.T
	cluster   *cluster.Cluster
	client    kubernetes.Interface
	objects   dynamic.Interface
	namespace string
}

// onBoth runs a test on each cluster.
func onBoth(t *testing.T, test func(f fixture)) {
	if !pair.Owned {
		t.Skip("the contexts of E2E_CONTEXTS have not the CSI driver of these tests, package csi")
	}
	for _, c := range pair.Clusters() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			config, err := c.Config()
			if err != nil {
				t.Fatal(err)
			}
			f := fixture{T: t, cluster: c, client: kubernetes.NewForConfigOrDie(config),
				objects: dynamic.NewForConfigOrDie(config), namespace: c.Namespace(t, "storage-")}
			test(f)
		})
	}
}

// check fails the test if err is not nil.
func (f fixture) check(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// claim creates a claim, from the source if there is one.
func (f fixture) claim(name, class, size string, source *corev1.TypedLocalObjectReference) {
	f.Helper()
	_, err := f.client.CoreV1().PersistentVolumeClaims(f.namespace).Create(f.Context(), &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: &class,
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)}},
			DataSource: source,
		},
	}, metav1.CreateOptions{})
	f.check(err)
}

func (f fixture) awaitBound(name string) {
	f.Helper()
	f.await("claim "+name+" to be bound", func(ctx context.Context) (bool, error) {
		claim, err := f.client.CoreV1().PersistentVolumeClaims(f.namespace).Get(ctx, name, metav1.GetOptions{})
		return err == nil && claim.Status.Phase == corev1.ClaimBound, err
	})
}

// run runs the program disk in a pod with the claim at /data, and returns what it prints.
func (f fixture) run(claim string, args ...string) string {
	f.Helper()
	pods, now := f.client.CoreV1().Pods(f.namespace), int64(0)
	pod, err := pods.Create(f.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "disk-"},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, TerminationGracePeriodSeconds: &now,
			Containers: []corev1.Container{{Name: "disk", Image: diskImage, ImagePullPolicy: corev1.PullNever, Args: args,
				VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}}},
			Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim}}}},
		},
	}, metav1.CreateOptions{})
	f.check(err)
	f.await("the end of pod "+pod.Name, func(ctx context.Context) (bool, error) {
		pod, err = pods.Get(ctx, pod.Name, metav1.GetOptions{})
		return err == nil && (pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed), err
	})
	out, err := pods.GetLogs(pod.Name, &corev1.PodLogOptions{}).DoRaw(f.Context())
	f.check(err)
	if pod.Status.Phase == corev1.PodFailed {
		f.Fatalf("disk %v failed: %s", args, out)
	}
	f.check(pods.Delete(f.Context(), pod.Name, metav1.DeleteOptions{}))
	return string(out)
}

// snapshot creates a snapshot of a claim.
func (f fixture) snapshot(name, class, claim string) *corev1.TypedLocalObjectReference {
	f.Helper()
	group := snapshots.Group
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": snapshots.GroupVersion().String(),
		"kind": "VolumeSnapshot", "metadata": map[string]any{"name": name}, "spec": map[string]any{
			"volumeSnapshotClassName": class, "source": map[string]any{"persistentVolumeClaimName": claim}}}}
	_, err := f.objects.Resource(snapshots).Namespace(f.namespace).Create(f.Context(), o, metav1.CreateOptions{})
	f.check(err)
	return &corev1.TypedLocalObjectReference{APIGroup: &group, Kind: "VolumeSnapshot", Name: name}
}

// awaitSnapshot waits until a field of the snapshot's status is set, and returns the status.
func (f fixture) awaitSnapshot(name string, field ...string) map[string]any {
	f.Helper()
	var found map[string]any
	f.await("snapshot "+name, func(ctx context.Context) (bool, error) {
		o, err := f.objects.Resource(snapshots).Namespace(f.namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		found, _, _ = unstructured.NestedMap(o.Object, "status")
		value, set, _ := unstructured.NestedFieldNoCopy(found, field...)
		return set && value != false, nil
	})
	return found
}

// awaitCreated waits until the mark is gone that the snapshot of a content is being created. A content that is deleted
// before can stay for a quarter of an hour.
func (f fixture) awaitCreated(content string) {
	f.Helper()
	f.await("the end of the creation of "+content, func(ctx context.Context) (bool, error) {
		o, err := f.objects.Resource(contents).Get(ctx, content, metav1.GetOptions{})
		return err == nil && o.GetAnnotations()["snapshot.storage.kubernetes.io/volumesnapshot-being-created"] == "", err
	})
}

func (f fixture) awaitGone(kind schema.GroupVersionResource, namespace, name string) {
	f.Helper()
	f.await("the end of "+kind.Resource+" "+name, func(ctx context.Context) (bool, error) {
		_, err := f.objects.Resource(kind).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
}

func (f fixture) await(what string, done wait.ConditionWithContextFunc) {
	f.Helper()
	if err := wait.PollUntilContextTimeout(f.Context(), 100*time.Millisecond, 2*time.Minute, true, done); err != nil {
		f.Fatalf("wait for %s: %v", what, err)
	}
}
