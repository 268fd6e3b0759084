package stork

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

const (
	group     = "stork.libopenstorage.org"
	version   = "v1alpha1"
	finalizer = group + "/finalizer-cleanup"
)

var (
	// Migrations is the resource that the simulator runs.
	Migrations = schema.GroupVersionResource{Group: group, Version: version, Resource: "migrations"}
	// ClusterPairs is the resource that names the destination.
	ClusterPairs = schema.GroupVersionResource{Group: group, Version: version, Resource: "clusterpairs"}

	definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1",
		Resource: "customresourcedefinitions"}
	events     = schema.GroupVersionResource{Version: "v1", Resource: "events"}
	namespaces = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	claims     = schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}
	volumes    = schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumes"}
	classes    = schema.GroupVersionResource{Group: "storage.k8s.io", Version: "v1", Resource: "storageclasses"}
)

type object = map[string]any

var kinds = map[string]string{
	"applicationbackups": "ApplicationBackup", "applicationclones": "ApplicationClone",
	"applicationrestores": "ApplicationRestore", "backuplocations": "BackupLocation",
	"clusterpairs": "ClusterPair", "groupvolumesnapshots": "GroupVolumeSnapshot",
	"migrations": "Migration", "migrationschedules": "MigrationSchedule",
	"namespacedschedulepolicies": "NamespacedSchedulePolicy",
	"resourcetransformations":    "ResourceTransformation", "rules": "Rule",
	"volumesnapshotrestores": "VolumeSnapshotRestore",
}

// Register defines Stork's resources as the real controller does when it
// starts, one version without a schema and without a status of its own, and
// waits until migrations are served.
func Register(ctx context.Context, client dynamic.Interface) error {
	for plural, kind := range kinds {
		_, err := client.Resource(definitions).Create(ctx, definition(plural, kind), v1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	for _, served := range []schema.GroupVersionResource{Migrations, ClusterPairs} {
		err := retry(ctx, func() error {
			_, err := client.Resource(served).List(ctx, v1.ListOptions{})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func definition(plural, kind string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: object{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": object{"name": plural + "." + group},
		"spec": object{
			"group": group, "scope": "Namespaced",
			"names": object{"plural": plural, "kind": kind},
			"versions": []any{object{
				"name": version, "served": true, "storage": true,
				"schema": object{"openAPIV3Schema": object{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
			}},
		},
	}}
}

// retry repeats a failing call for at most a minute.
func retry(ctx context.Context, do func() error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := do()
		if err == nil || !sleep(ctx, 200*time.Millisecond) {
			return err
		}
	}
}

// sleep reports whether the time has passed before the context ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
