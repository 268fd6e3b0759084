package apply

import (
	"context"
	"slices"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

// restoreCount gives the number of replicas its value and its owners of before, unless somebody else owns it now.
func (w *Writer) restoreCount(
	ctx context.Context, r applyRequest, was, now sluice.Object, outcome sluice.Outcome,
) (sluice.Object, sluice.Outcome, error) {
	if !w.isCountOurs(now) {
		return now, outcome, nil
	}
	if n := was.Number(1, "spec", "replicas"); now.Number(1, "spec", "replicas") != n {
		outcome = sluice.Configured
		if r.dryRun {
			return withCount(now, was), outcome, nil
		}
		err := w.Scale(ctx, was.Ref(), n)
		if err == nil {
			now, err = w.informers.ReadLive(ctx, r.ObjectRef)
		}
		if err != nil {
			return nil, "", err
		}
	}
	now, err := w.changeOwners(ctx, now, r, func(o sluice.Object) []sluice.Object { return w.countOwners(was, o) })
	return now, outcome, err
}

// withCount returns the object with the number of replicas of another one.
func withCount(o, of sluice.Object) sluice.Object {
	o = o.Clone()
	o.Set(of.Field("spec", "replicas"), "spec", "replicas")
	return o
}

// isCountOurs reports whether Scale was the last to set the number of replicas.
func (w *Writer) isCountOurs(o sluice.Object) bool {
	scaled := false
	for _, e := range client.ManagedFields(o) {
		if !ownsCount(e) {
			continue
		}
		if !isScaleManager(e) && e.Text("manager") != w.manager() {
			return false
		}
		scaled = scaled || isScaleManager(e)
	}
	return scaled
}

func isScaleManager(entry sluice.Object) bool {
	return slices.Contains([]string{scaleOwn, scaleOthers}, entry.Text("manager"))
}

func ownsCount(entry sluice.Object) bool {
	s := fieldSet(entry)
	return s != nil && s.Has(replicasPath)
}

// countOwners returns the owners of the object's fields once the number of replicas belongs to those who owned it
// before, nil if it does, or if that is not known.
func (w *Writer) countOwners(was, o sluice.Object) []sluice.Object {
	if client.ManagedFields(was) == nil || !w.isCountOurs(o) {
		return nil
	}
	count, changed := fieldpath.NewSet(replicasPath), false
	var missing, list []sluice.Object
	for _, e := range client.ManagedFields(was) {
		if ownsCount(e) {
			missing = append(missing, e)
		}
	}
	for _, e := range client.ManagedFields(o) {
		before := len(missing)
		missing = slices.DeleteFunc(missing, func(m sluice.Object) bool { return isEntry(m, e) })
		owned, owns := before > len(missing), ownsCount(e)
		changed = changed || owned != owns
		switch set := fieldSet(e); {
		case owned && !owns:
			e = withFields(e, set.Union(count))
		case owns && !owned:
			if set = set.Difference(count); set.Leaves().Empty() {
				continue
			}
			e = withFields(e, set)
		}
		list = append(list, e)
	}
	for _, e := range missing {
		list, changed = append(list, withFields(e, count)), true
	}
	if !changed {
		return nil
	}
	return list
}
