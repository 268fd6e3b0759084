package stork

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

const (
	// Provisioner is the name of Portworx in StorageClasses.
	Provisioner   = "pxd.portworx.com"
	provisionedBy = "pv.kubernetes.io/provisioned-by"
)

// Storage simulates the storage of one cluster: every claim of its class gets a directory.
type Storage struct {
	Client dynamic.Interface
	// Dir has the volumes. Its path is the same for this process and for the node.
	Dir string
}

// Run serves claims, and removes volumes without claims, until the context ends.
func (s *Storage) Run(ctx context.Context) error {
	for {
		if err := s.look(ctx); err != nil && ctx.Err() == nil {
			slog.Warn("provision", "error", err)
		}
		if !sleep(ctx, 300*time.Millisecond) {
			return nil
		}
	}
}

func (s *Storage) look(ctx context.Context) error {
	ours, err := s.classes(ctx)
	if err != nil {
		return err
	}
	all, err := s.Client.Resource(claims).List(ctx, v1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range all.Items {
		claim := &all.Items[i]
		class, _, _ := unstructured.NestedString(claim.Object, "spec", "storageClassName")
		name, _, _ := unstructured.NestedString(claim.Object, "spec", "volumeName")
		if name != "" || !ours[class] || claim.GetDeletionTimestamp() != nil {
			continue
		}
		if err := s.provision(ctx, claim); err != nil {
			return err
		}
	}
	return s.reclaim(ctx)
}

func (s *Storage) classes(ctx context.Context) (map[string]bool, error) {
	list, err := s.Client.Resource(classes).List(ctx, v1.ListOptions{})
	if err != nil {
		return nil, err
	}
	ours := map[string]bool{}
	for _, class := range list.Items {
		ours[class.GetName()] = class.Object["provisioner"] == Provisioner
	}
	return ours, nil
}

func (s *Storage) provision(ctx context.Context, claim *unstructured.Unstructured) error {
	name := "pvc-" + string(claim.GetUID())
	path := filepath.Join(s.Dir, name)
	if err := os.MkdirAll(path, 0o777); err != nil {
		return err
	}
	if err := os.Chmod(path, 0o777); err != nil { // whatever the mask of the process is
		return err
	}
	wanted, _ := claim.Object["spec"].(object)
	requests, _, _ := unstructured.NestedMap(wanted, "resources", "requests")
	pv := &unstructured.Unstructured{Object: object{
		"apiVersion": "v1", "kind": "PersistentVolume",
		"metadata": object{"name": name, "annotations": object{provisionedBy: Provisioner}},
		"spec": object{
			"capacity": requests, "accessModes": wanted["accessModes"], "storageClassName": wanted["storageClassName"],
			"persistentVolumeReclaimPolicy": "Delete", "hostPath": object{"path": path, "type": "Directory"},
			"claimRef": object{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": claim.GetNamespace(),
				"name": claim.GetName(), "uid": string(claim.GetUID())},
		},
	}}
	_, err := s.Client.Resource(volumes).Create(ctx, pv, v1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// reclaim removes the volumes of deleted claims. Kubernetes itself cannot delete directories and calls them failed.
func (s *Storage) reclaim(ctx context.Context) error {
	list, err := s.Client.Resource(volumes).List(ctx, v1.ListOptions{})
	if err != nil {
		return err
	}
	for _, pv := range list.Items {
		phase, _, _ := unstructured.NestedString(pv.Object, "status", "phase")
		policy, _, _ := unstructured.NestedString(pv.Object, "spec", "persistentVolumeReclaimPolicy")
		ended := phase == "Released" || phase == "Failed"
		if pv.GetAnnotations()[provisionedBy] != Provisioner || policy != "Delete" || !ended {
			continue
		}
		if err := os.RemoveAll(filepath.Join(s.Dir, pv.GetName())); err != nil {
			return err
		}
		if err := s.Client.Resource(volumes).Delete(ctx, pv.GetName(), v1.DeleteOptions{}); err != nil &&
			!apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}
