package stork

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The stages and statuses of a migration.
const (
	stageVolumes      = "Volumes"
	stageApplications = "Applications"
	stageFinal        = "Final"

	statusPending    = "Pending"
	statusInProgress = "InProgress"
	statusFailed     = "Failed"
	statusPartial    = "PartialSuccess"
	statusSuccessful = "Successful"
)

// A run is one look at a migration.
type run struct {
	*Controller
	m *unstructured.Unstructured
}

// migration advances by one step. It looks again at what it waits for with the next tick.
func (c *Controller) migration(ctx context.Context, m *unstructured.Unstructured) error {
	r := &run{c, m}
	if m.GetDeletionTimestamp() != nil {
		return c.released(ctx, Migrations, m)
	}
	switch r.text("status", "stage") {
	case "":
		return r.begin(ctx)
	case stageVolumes:
		return r.moveVolumes(ctx)
	case stageApplications:
		return r.bringObjects(ctx)
	}
	return nil
}

func (r *run) text(path ...string) string {
	s, _, _ := unstructured.NestedString(r.m.Object, path...)
	return s
}

func (r *run) flag(absent bool, path ...string) bool {
	b, found, _ := unstructured.NestedBool(r.m.Object, path...)
	if !found {
		return absent
	}
	return b
}

func (r *run) namespaces() []string {
	list, _, _ := unstructured.NestedStringSlice(r.m.Object, "spec", "namespaces")
	return list
}

func (r *run) status() object {
	status, ok := r.m.Object["status"].(object)
	if !ok {
		status = object{}
		r.m.Object["status"] = status
	}
	return status
}

func (r *run) become(ctx context.Context, stage, status string) error {
	r.status()["stage"], r.status()["status"] = stage, status
	return r.update(ctx, Migrations, r.m)
}

// defaults are the values, including nulls, that the real controller writes into every spec.
func defaults() object {
	return object{
		"adminClusterPair": "", "excludeResourceTypes": nil, "excludeSelectors": nil, "ignoreOwnerReferencesCheck": false,
		"includeNetworkPolicyWithCIDR": false, "includeOptionalResourceTypes": nil, "includeResources": true,
		"includeVolumes": true, "namespaceSelectors": nil, "namespaces": nil, "postExecRule": "", "preExecRule": "",
		"purgeDeletedResources": false, "selectors": nil, "skipDeletedNamespaces": true, "skipServiceUpdate": false,
		"startApplications": false, "transformSpecs": nil,
	}
}

func newStatus() object {
	return object{
		"finishTimestamp": nil, "resourceMigrationFinishTimestamp": nil, "resources": nil, "stage": "", "status": "",
		"summary": nil, "volumeMigrationFinishTimestamp": nil, "volumes": nil,
	}
}

// begin writes the defaults and enters the first stage. Bad input never gets further.
func (r *run) begin(ctx context.Context) error {
	spec, ok := r.m.Object["spec"].(object)
	if !ok {
		spec = object{}
		r.m.Object["spec"] = spec
	}
	for key, value := range defaults() {
		if _, set := spec[key]; !set {
			spec[key] = value
		}
	}
	if !slices.Contains(r.m.GetFinalizers(), finalizer) {
		r.m.SetFinalizers(append(r.m.GetFinalizers(), finalizer))
		r.m.Object["status"] = newStatus()
		return r.update(ctx, Migrations, r.m)
	}
	there, err := r.existing(ctx)
	if err != nil {
		return err
	}
	if len(there) == 0 && r.flag(true, "spec", "skipDeletedNamespaces") {
		return r.finish(ctx, statusSuccessful)
	}
	if !r.flag(true, "spec", "includeVolumes") {
		return r.become(ctx, stageApplications, "")
	}
	return r.become(ctx, stageVolumes, statusPending)
}

// existing returns those of the migration's namespaces that exist.
func (r *run) existing(ctx context.Context) ([]string, error) {
	var there []string
	for _, name := range r.namespaces() {
		_, err := r.Client.Resource(namespaces).Get(ctx, name, v1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		there = append(there, name)
	}
	return there, nil
}

// ready returns the migration's pair. If the pair cannot be used, it returns nil and writes an event.
func (r *run) ready(ctx context.Context, storage bool) (*unstructured.Unstructured, error) {
	name := r.text("spec", "clusterPair")
	p, err := r.Client.Resource(ClusterPairs).Namespace(r.m.GetNamespace()).Get(ctx, name, v1.GetOptions{})
	if apierrors.IsNotFound(err) {
		missing := fmt.Sprintf("Error getting clusterpair: clusterpairs.stork.libopenstorage.org %q not found", name)
		return nil, r.warn(ctx, missing)
	}
	if err != nil {
		return nil, err
	}
	scheduler, _, _ := unstructured.NestedString(p.Object, "status", "schedulerStatus")
	stored, _, _ := unstructured.NestedString(p.Object, "status", "storageStatus")
	if scheduler != "Ready" || storage && stored != "Ready" {
		unready := fmt.Sprintf("Cluster pair %s is not ready. Scheduler: %s, storage: %s", name, scheduler, stored)
		return nil, r.warn(ctx, unready)
	}
	return p, nil
}

// finish ends the migration. Deleting the record later reverts nothing.
func (r *run) finish(ctx context.Context, status string) error {
	now := time.Now().UTC().Format(time.RFC3339)
	s := r.status()
	s["finishTimestamp"], s["resourceMigrationFinishTimestamp"] = now, now
	s["summary"] = summary(s)
	return r.become(ctx, stageFinal, status)
}

func summary(status object) object {
	moved, bytes := 0, int64(0)
	all, _ := status["volumes"].([]any)
	for _, v := range all {
		if entry, ok := v.(object); ok && entry["status"] == statusSuccessful {
			moved++
			n, _ := entry["bytesTotal"].(int64)
			bytes += n
		}
	}
	brought := 0
	resources, _ := status["resources"].([]any)
	for _, v := range resources {
		if entry, ok := v.(object); ok && entry["status"] == statusSuccessful {
			brought++
		}
	}
	return object{
		"totalNumberOfVolumes": int64(len(all)), "numOfMigratedVolumes": int64(moved), "totalBytesMigrated": bytes,
		"totalNumberOfResources": int64(len(resources)), "numOfMigratedResources": int64(brought),
		"elapsedTimeForVolumeMigration": "NA", "elapsedTimeForResourceMigration": "NA",
	}
}
