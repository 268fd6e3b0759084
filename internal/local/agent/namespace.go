package agent

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice"
)

// ensureNamespace creates the object's namespace if it does not exist. The mutex is held.
func (a *Agent) ensureNamespace(e *entry) error {
	namespace := e.key().Namespace
	if namespace == "" {
		return nil
	}
	switch ns := a.store.objects[key{"Namespace", "", namespace}]; {
	case ns == nil:
		o := sluice.Object{"apiVersion": "v1", "kind": "Namespace"}
		o.Set(namespace, "metadata", "name")
		if _, _, err := a.apply(o); err != nil {
			return err
		}
		made := a.store.objects[key{"Namespace", "", namespace}]
		made.Implied = true
		return a.store.put(made)
	case ns.deleting():
		return sluice.Errorf(sluice.Unavailable, "Namespace/%s is still being deleted", namespace)
	}
	return nil
}

// leaveNamespace removes a namespace that nobody applied once its last object is gone, so that an undo leaves nothing
// behind. A staged volume keeps it, and so does a pod without an owner. The mutex is held.
func (a *Agent) leaveNamespace(name string) error {
	k := key{"Namespace", "", name}
	ns := a.store.objects[k]
	if ns == nil || !ns.Implied || ns.deleting() || len(a.store.list("", name)) > 0 || len(a.ownerless(name)) > 0 {
		return nil
	}
	err := os.Remove(a.claimRoot(name, ""))
	if errors.Is(err, unix.ENOTEMPTY) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return a.store.remove(k)
}
