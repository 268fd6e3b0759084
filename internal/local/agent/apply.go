package agent

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/kind"
)

// Apply stores the object. Fields that were applied before and are now left out are removed: only Sluice writes here.
func (a *Agent) Apply(r ApplyRequest) (sluice.Object, sluice.Outcome, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer a.wake()
	if a.ending {
		return nil, "", errEnding
	}
	return a.applyAs(r.Object, applying{dryRun: r.DryRun, images: r.Images})
}

var errEnding = sluice.Errorf(sluice.Unavailable, "the local account is going down")

// applying says how an object is applied.
type applying struct {
	replicaSet string           // begins the names of a canary's pods, "" for other objects
	dryRun     bool             // only to find out what would happen
	images     map[string]Image // of a dry run, besides those of the account
}

func (a *Agent) apply(o sluice.Object) (sluice.Object, sluice.Outcome, error) {
	return a.applyAs(o, applying{})
}

func (a *Agent) applyAs(o sluice.Object, how applying) (sluice.Object, sluice.Outcome, error) {
	applied, err := normalise(o)
	if err != nil {
		return nil, "", err
	}
	before := a.store.objects[keyOf(applied.Ref())]
	if applied.Text("kind") == "Service" {
		applied = a.withoutAddress(applied)
	}
	typed, err := kind.Decode(applied)
	if err != nil {
		return nil, "", err
	}
	kind.SpellQuantities(applied)
	if before != nil && before.deleting() {
		return nil, "", sluice.Errorf(sluice.Unavailable, "%s is still being deleted", applied.Ref())
	}
	if err := a.checkImages(typed, how.images); err != nil {
		return nil, "", err
	}
	isNamed := how.replicaSet == "" || before != nil && before.ReplicaSet == how.replicaSet
	if before != nil && !before.Implied && isNamed && reflect.DeepEqual(before.Applied, applied) {
		return before.Object.Clone(), sluice.Unchanged, a.reopen(before, how.dryRun)
	}
	if err := immutable(before, applied); err != nil {
		return nil, "", err
	}
	return a.write(before, &entry{Applied: applied, ReplicaSet: how.replicaSet, typed: typed}, o, how.dryRun)
}

// withoutAddress removes an address that this account gave, so that an object that was read can be applied again.
func (a *Agent) withoutAddress(o sluice.Object) sluice.Object {
	spec, ok := o["spec"].(map[string]any)
	if !ok {
		return o
	}
	delete(spec, "clusterIPs")
	if ip := o.Text("spec", "clusterIP"); a.net.owns(a.net.present(ip)) {
		delete(spec, "clusterIP")
	}
	return o
}

// write stores the object as new or over the one before.
func (a *Agent) write(before, e *entry, given sluice.Object, dryRun bool) (sluice.Object, sluice.Outcome, error) {
	e.Object = e.Applied.Clone()
	outcome := sluice.Created
	e.Object.Set(newUID(), "metadata", "uid")
	e.Object.Set(timestamp(), "metadata", "creationTimestamp")
	e.Object.Set(int64(1), "metadata", "generation")
	e.Undivided = e.key().Kind == "Service"
	if before != nil {
		outcome = sluice.Configured
		carry(before, e)
	}
	if err := a.admit(e, given, dryRun); err != nil {
		return nil, "", err
	}
	if dryRun {
		return e.Object, outcome, nil
	}
	if err := a.ensureNamespace(e); err != nil {
		return nil, "", err
	}
	if err := a.store.put(e); err != nil {
		return nil, "", err
	}
	a.route()
	return e.Object.Clone(), outcome, nil
}

// carry keeps what the account remembers of the object, and increments its generation if its spec changed.
func carry(before, e *entry) {
	e.Percent, e.Release, e.Undivided = before.Percent, before.Release, before.Undivided
	e.Address, e.Revisions, e.ReplicaSet = before.Address, before.Revisions, cmp.Or(e.ReplicaSet, before.ReplicaSet)
	for _, f := range []string{"uid", "creationTimestamp", "generation"} {
		e.Object.Set(before.Object.Field("metadata", f), "metadata", f)
	}
	if status := before.Object.Field("status"); status != nil {
		e.Object.Set(status, "status")
	}
	if !reflect.DeepEqual(before.Applied["spec"], e.Applied["spec"]) {
		e.Object.Set(int64(before.Object.Number(0, "metadata", "generation"))+1, "metadata", "generation")
	}
}

// admit prepares an object for storage, as its kind requires.
func (a *Agent) admit(e *entry, given sluice.Object, dryRun bool) error {
	switch e.key().Kind {
	case "Namespace":
		e.Object.Set(map[string]any{"phase": "Active"}, "status")
	case "Service":
		ip := a.net.present(given.Text("spec", "clusterIP"))
		if e.Address == "" && a.net.owns(ip) && !a.usedAddresses()[ip] {
			e.Address = ip
		}
		if err := a.admitService(e); err != nil {
			return err
		}
		return a.servePorts(e, dryRun)
	case "PersistentVolumeClaim":
		if !dryRun {
			return a.admitClaim(e)
		}
		a.nameVolume(e)
	}
	return nil
}

// checkImages finds missing images before anything is started. more counts beside the images of the account.
func (a *Agent) checkImages(typed any, more map[string]Image) error {
	t := templateOf(typed)
	if t == nil {
		return nil
	}
	first := len(t.Spec.InitContainers)
	for i, c := range slices.Concat(t.Spec.InitContainers, t.Spec.Containers) {
		_, known := a.images[c.Image]
		if _, new := more[c.Image]; known || new {
			continue
		}
		e := noProgram(c.Image)
		e.Field = fmt.Sprintf("spec.template.spec.initContainers[%d].image", i)
		if i >= first {
			e.Field = fmt.Sprintf("spec.template.spec.containers[%d].image", i-first)
		}
		return e
	}
	return nil
}

func templateOf(typed any) *corev1.PodTemplateSpec {
	switch o := typed.(type) {
	case *appsv1.Deployment:
		return &o.Spec.Template
	case *appsv1.StatefulSet:
		return &o.Spec.Template
	case *batchv1.Job:
		return &o.Spec.Template
	}
	return nil
}

// immutable refuses changes that Kubernetes refuses.
func immutable(before *entry, now sluice.Object) error {
	if before == nil {
		return nil
	}
	fields := map[string][]string{
		"Job":         {"template", "selector", "completions"},
		"StatefulSet": {"selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"},
		"Deployment":  {"selector"},
	}
	ref := now.Ref()
	for _, f := range fields[ref.Kind] {
		if !reflect.DeepEqual(before.Applied.Field("spec", f), now.Field("spec", f)) {
			return sluice.Errorf(sluice.Invalid, "spec.%s of %s cannot be changed", f, ref).
				WithHint("delete %s first, or give the new one another name", ref)
		}
	}
	return nil
}

// Get returns the object.
func (a *Agent) Get(ref sluice.Ref) (sluice.Object, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := keyOf(ref)
	if !kind.Namespaced(k.Kind) {
		k.Namespace = ""
	}
	e := a.store.objects[k]
	if e == nil {
		if _, err := kind.Find(ref.APIVersion, ref.Kind); err != nil {
			return nil, err
		}
		return nil, sluice.Errorf(sluice.NotFound, "there is no %s in the namespace %s", ref, ref.Namespace)
	}
	return e.Object.Clone(), nil
}
