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
	// SnapshotClass is the VolumeSnapshotClass, and the VolumeGroupSnapshotClass, whose snapshots succeed, and are deleted
	// with their objects.
	SnapshotClass = "csi"
)

// SnapshotClasses is the resource of VolumeSnapshotClasses, GroupClasses that of VolumeGroupSnapshotClasses.
var (
	SnapshotClasses = schema.GroupVersionResource{Group: "snapshot.storage.k8s.io", Version: "v1",
		Resource: "volumesnapshotclasses"}
	GroupClasses = schema.GroupVersionResource{Group: "groupsnapshot.storage.k8s.io", Version: "v1beta2",
		Resource: "volumegroupsnapshotclasses"}
)

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
	if err := CreateSnapshotClass(ctx, config, SnapshotClass, nil); err != nil {
		return err
	}
	return CreateGroupClass(ctx, config, SnapshotClass, nil)
}

// CreateSnapshotClass creates a VolumeSnapshotClass of the driver, for instance with an Outcome. It does nothing if
// there is one of that name.
func CreateSnapshotClass(ctx context.Context, config *rest.Config, name string, parameters map[string]string) error {
	return createClass(ctx, config, SnapshotClasses, class("VolumeSnapshotClass", name, parameters))
}

// CreateGroupClass creates a VolumeGroupSnapshotClass of the driver in the same way.
func CreateGroupClass(ctx context.Context, config *rest.Config, name string, parameters map[string]string) error {
	return createClass(ctx, config, GroupClasses, class("VolumeGroupSnapshotClass", name, parameters))
}

func class(kind, name string, parameters map[string]string) *unstructured.Unstructured {
	values := map[string]any{}
	for key, value := range parameters {
		values[key] = value
	}
	c := &unstructured.Unstructured{Object: map[string]any{"kind": kind, "driver": Name, "deletionPolicy": "Delete",
		"parameters": values}}
	c.SetName(name)
	return c
}

func createClass(ctx context.Context, config *rest.Config, resource schema.GroupVersionResource,
	class *unstructured.Unstructured) error {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	class.SetAPIVersion(resource.GroupVersion().String())
	_, err = client.Resource(resource).Create(ctx, class, metav1.CreateOptions{})
	return ignoreExists(err)
}

func ignoreExists(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
