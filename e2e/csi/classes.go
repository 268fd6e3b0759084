package csi

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

const (
	// Class is the StorageClass whose claims are bound at once.
	Class = "csi"
	// WaitClass is the StorageClass whose claims are bound when a pod needs them.
	WaitClass = "csi-wait"
	// SnapshotClass is the VolumeSnapshotClass whose snapshots succeed, and are deleted with their objects.
	SnapshotClass = "csi"
)

// SnapshotClasses is the resource of VolumeSnapshotClasses.
var SnapshotClasses = schema.GroupVersionResource{Group: "snapshot.storage.k8s.io", Version: "v1",
	Resource: "volumesnapshotclasses"}

// Announce tells a cluster of the driver and its classes. The definitions of snapshots must be there.
func Announce(ctx context.Context, config *rest.Config) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	attach, capacity, groups := false, true, storagev1.FileFSGroupPolicy
	_, err = client.StorageV1().CSIDrivers().Create(ctx, &storagev1.CSIDriver{
		ObjectMeta: metav1.ObjectMeta{Name: Name},
		Spec: storagev1.CSIDriverSpec{AttachRequired: &attach, StorageCapacity: &capacity, FSGroupPolicy: &groups,
			VolumeLifecycleModes: []storagev1.VolumeLifecycleMode{storagev1.VolumeLifecyclePersistent}},
	}, metav1.CreateOptions{})
	if err := ignoreExists(err); err != nil {
		return err
	}
	for name, binding := range map[string]storagev1.VolumeBindingMode{
		Class: storagev1.VolumeBindingImmediate, WaitClass: storagev1.VolumeBindingWaitForFirstConsumer} {
		reclaim := corev1.PersistentVolumeReclaimDelete
		_, err := client.StorageV1().StorageClasses().Create(ctx, &storagev1.StorageClass{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Provisioner: Name, ReclaimPolicy: &reclaim, VolumeBindingMode: &binding,
		}, metav1.CreateOptions{})
		if err := ignoreExists(err); err != nil {
			return err
		}
	}
	return CreateSnapshotClass(ctx, config, SnapshotClass, nil)
}

// CreateSnapshotClass creates a VolumeSnapshotClass of the driver, for instance with an Outcome. It does nothing if
// there is one of that name.
func CreateSnapshotClass(ctx context.Context, config *rest.Config, name string, parameters map[string]string) error {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	class := &unstructured.Unstructured{Object: map[string]any{"apiVersion": SnapshotClasses.GroupVersion().String(),
		"kind": "VolumeSnapshotClass", "driver": Name, "deletionPolicy": "Delete"}}
	class.SetName(name)
	if err := unstructured.SetNestedStringMap(class.Object, parameters, "parameters"); err != nil {
		return err
	}
	_, err = client.Resource(SnapshotClasses).Create(ctx, class, metav1.CreateOptions{})
	return ignoreExists(err)
}

func ignoreExists(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
