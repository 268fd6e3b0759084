package shift

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/traffic"
)

// mark gives the release label to as many ready stable pods as are to serve beside the canary's, and returns their
// names. Those that have it already come first, so that few pods change. It returns none if all are to serve, because
// their label cannot change.
func (d division) mark(ctx context.Context) ([]string, error) {
	stable, err := d.read(ctx, "apps/v1", "Deployment", d.Stable)
	if err != nil {
		return nil, err
	}
	hash, err := d.labelsOf(ctx, stableSide)
	if err != nil {
		return nil, err
	}
	canary, err := d.labelsOf(ctx, canarySide)
	if err != nil {
		return nil, err
	}
	if err := d.refuse(ctx, canarySide, labels.Merge(selectorOf(stable), canary)); err != nil {
		return nil, err
	}
	selector := labels.Merge(selectorOf(stable), hash)
	if able, err := d.canMark(ctx, selector); err != nil || !able {
		return nil, err
	}
	pods, err := d.pods(ctx, selector)
	if err != nil {
		return nil, err
	}
	marked := traffic.Ready(pods, labels.Merge(selector, traffic.CanaryLabels(d.Division.Release, nil)))
	others := slices.DeleteFunc(traffic.Ready(pods, selector), func(name string) bool {
		return slices.Contains(marked, name)
	})
	if len(marked)+len(others) == 0 {
		return nil, d.refuse(ctx, stableSide, selector)
	}
	names := append(marked, others...)
	names = names[:min(d.Serving, len(names))]
	for _, name := range names[min(len(marked), len(names)):] {
		if err := d.label(ctx, name, d.Division.Release); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// canMark reports whether the ReplicaSet of the pods keeps them when their release label changes. One that the cluster
// has made for a canary selects them by it.
func (d division) canMark(ctx context.Context, selector map[string]string) (bool, error) {
	sets, err := d.list(ctx, "apps/v1", "replicasets", selector)
	return !slices.ContainsFunc(sets, func(s sluice.Object) bool {
		return s.Text("spec", "selector", "matchLabels", sluice.ReleaseLabel) != ""
	}), err
}

// unmark gives stable pods with the release label, but for those to keep, the value that the template of their
// ReplicaSet has. It reports whether there were any. It leaves them while another Service goes to them by the label.
func (d division) unmark(ctx context.Context, keep []string) (bool, error) {
	if d.Division.Release == "" || d.Weighs(d.Traffic) {
		return false, nil
	}
	stable, err := d.read(ctx, "apps/v1", "Deployment", d.Stable)
	if err != nil {
		return false, ignoreAbsent(err)
	}
	release := map[string]string{sluice.ReleaseLabel: d.Division.Release}
	pods, err := d.pods(ctx, labels.Merge(selectorOf(stable), release))
	if err != nil {
		return false, err
	}
	canary, err := d.canaryHash(ctx)
	if err != nil {
		return false, err
	}
	pods = slices.DeleteFunc(pods, func(p sluice.Object) bool {
		return p.Text("metadata", "labels", traffic.HashLabel) == canary ||
			slices.Contains(keep, p.Text("metadata", "name"))
	})
	if len(pods) == 0 {
		return false, nil
	}
	if len(keep) == 0 {
		if needed, err := d.isNeeded(ctx, pods[0]); err != nil || needed {
			return false, err
		}
	}
	return true, d.putLabelsBack(ctx, stable, pods)
}

// isNeeded reports whether another Service is narrowed to the release label and selects the pod.
func (d division) isNeeded(ctx context.Context, pod sluice.Object) (bool, error) {
	services, err := d.list(ctx, "v1", "services", nil)
	return slices.ContainsFunc(services, func(s sluice.Object) bool {
		isOther := s.Text("metadata", "name") != d.Service
		return isOther && s.Text("spec", "selector", sluice.ReleaseLabel) == d.Division.Release && traffic.MadeFor(s) == "" &&
			traffic.Selects(traffic.Selector(s), pod)
	}), err
}

func (d division) putLabelsBack(ctx context.Context, stable sluice.Object, pods []sluice.Object) error {
	sets, err := d.list(ctx, "apps/v1", "replicasets", selectorOf(stable))
	if err != nil {
		return err
	}
	for _, p := range pods {
		was := ""
		for _, set := range sets {
			if traffic.Controls(set, p) {
				was = set.Text("spec", "template", "metadata", "labels", sluice.ReleaseLabel)
			}
		}
		if err := d.label(ctx, p.Text("metadata", "name"), was); err != nil {
			return err
		}
	}
	return nil
}

// label sets the release label of the pod, or removes it if the release is "". A pod that is gone needs none.
func (d division) label(ctx context.Context, pod, release string) error {
	ref, err := d.locate(ctx, "Pod", pod, "v1")
	if err != nil {
		return err
	}
	_, _, err = d.change(ctx, ref, func(now sluice.Object) (sluice.Object, error) {
		will := now.Clone()
		if release != "" {
			will.Set(release, "metadata", "labels", sluice.ReleaseLabel)
			return will, nil
		}
		if all, ok := will.Field("metadata", "labels").(map[string]any); ok {
			delete(all, sluice.ReleaseLabel)
		}
		return will, nil
	})
	return ignoreAbsent(err)
}
