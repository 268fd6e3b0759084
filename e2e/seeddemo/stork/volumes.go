package stork

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
)

// looks is how many ticks a volume takes. A real one takes two or three.
const looks = 2

// moveVolumes starts the volumes, or checks their progress. A failed volume does not end the stage before the others
// have ended.
func (r *run) moveVolumes(ctx context.Context) error {
	p, err := r.ready(ctx, true)
	if err != nil || p == nil {
		return err
	}
	if r.text("status", "status") == statusPending {
		return r.startVolumes(ctx, mode(p))
	}
	all, _, _ := unstructured.NestedSlice(r.m.Object, "status", "volumes")
	ended, failed := true, false
	for i, v := range all {
		entry, _ := v.(object)
		if entry["status"] == statusInProgress {
			r.advance(ctx, p, entry, mode(p) == VolumeFails && i == len(all)-1)
		}
		ended = ended && entry["status"] != statusInProgress
		failed = failed || entry["status"] == statusFailed
	}
	r.status()["volumes"] = all
	switch {
	case !ended:
		return r.update(ctx, Migrations, r.m)
	case failed:
		return r.finish(ctx, statusFailed)
	}
	r.status()["volumeMigrationFinishTimestamp"] = time.Now().UTC().Format(time.RFC3339)
	return r.become(ctx, stageApplications, statusInProgress)
}

func (r *run) startVolumes(ctx context.Context, mode Mode) error {
	if mode == StartFails {
		return r.warn(ctx, "Error migrating volumes: rpc error: code = Internal desc = cloudsnap: no object store")
	}
	matched, err := r.claims(ctx)
	if err != nil {
		return err
	}
	list := make([]any, 0, len(matched))
	for _, claim := range matched {
		volume, _, _ := unstructured.NestedString(claim.Object, "spec", "volumeName")
		list = append(list, object{
			"namespace": claim.GetNamespace(), "persistentVolumeClaim": claim.GetName(), "volume": volume,
			"status": statusInProgress, "bytesTotal": int64(0),
			"reason": "Volume migration has started. Backup in progress. BytesDone: 0 BytesTotal: 0 ETA: 0 seconds",
		})
	}
	r.status()["volumes"] = list
	return r.become(ctx, stageVolumes, statusInProgress)
}

// claims returns the bound claims of the migration's namespaces that have all labels of its selectors.
func (r *run) claims(ctx context.Context) ([]unstructured.Unstructured, error) {
	wanted, _, _ := unstructured.NestedStringMap(r.m.Object, "spec", "selectors")
	var matched []unstructured.Unstructured
	for _, namespace := range r.namespaces() {
		list, err := r.Client.Resource(claims).Namespace(namespace).List(ctx,
			v1.ListOptions{LabelSelector: labels.FormatLabels(wanted)})
		if err != nil {
			return nil, err
		}
		for _, claim := range list.Items {
			if bound, _, _ := unstructured.NestedString(claim.Object, "status", "phase"); bound == "Bound" {
				matched = append(matched, claim)
			}
		}
	}
	return matched, nil
}

// advance brings a volume one look further. After the last look it has its content.
func (r *run) advance(ctx context.Context, p *unstructured.Unstructured, entry object, fails bool) {
	done := r.progress(entry["volume"])
	if done < looks {
		entry["reason"] = fmt.Sprintf("Volume migration has started. Restore in progress. "+
			"BytesDone: %d BytesTotal: %d ETA: 2 seconds", done, looks)
		return
	}
	r.forget(entry["volume"])
	if fails {
		entry["status"], entry["reason"] = statusFailed, "Migration failed for volume: restore: no space left in pool"
		return
	}
	size, err := r.copy(ctx, fmt.Sprint(entry["volume"]))
	if err != nil {
		entry["status"], entry["reason"] = statusFailed, "Migration failed for volume: "+err.Error()
		return
	}
	entry["status"], entry["reason"], entry["bytesTotal"] = statusSuccessful, "Migration successful for volume", size
}

// copy replaces the volume's directory at the destination by the current content of the source.
func (r *run) copy(ctx context.Context, volume string) (int64, error) {
	from, err := r.Client.Resource(volumes).Get(ctx, volume, v1.GetOptions{})
	if err != nil {
		return 0, err
	}
	dir, _, _ := unstructured.NestedString(from.Object, "spec", "hostPath", "path")
	if dir == "" {
		return 0, fmt.Errorf("volume %s is not a directory", volume)
	}
	return copyTree(dir, filepath.Join(r.VolumeDir, volume))
}

// progress counts the looks at a volume of the migration.
func (r *run) progress(volume any) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen = map[string]int{}
	}
	key := r.task(volume)
	r.seen[key]++
	return r.seen[key]
}

func (r *run) forget(volume any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.seen, r.task(volume))
}

func (r *run) task(volume any) string { return fmt.Sprintf("%s-%v", r.m.GetUID(), volume) }
