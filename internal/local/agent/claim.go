package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-cd/sluice"
)

// firstGeneration is the name of the generation that a new claim begins with.
const firstGeneration = "initial"

func (a *Agent) claimRoot(namespace, claim string) string {
	return filepath.Join(a.dir, "volumes", namespace, claim)
}

// current returns the name of the claim's current generation, "" if it has none. A symbolic link records it, which is
// replaced atomically.
func (a *Agent) current(namespace, claim string) string {
	to, err := os.Readlink(filepath.Join(a.claimRoot(namespace, claim), "current"))
	if err != nil {
		return ""
	}
	return to
}

func (a *Agent) setCurrent(namespace, claim, generation string) error {
	root := a.claimRoot(namespace, claim)
	next := filepath.Join(root, ".current")
	if err := errors.Join(os.RemoveAll(next), os.Symlink(generation, next)); err != nil {
		return err
	}
	if err := os.Rename(next, filepath.Join(root, "current")); err != nil {
		return err
	}
	return syncDir(root)
}

// admitClaim gives the claim a directory, unless a generation was staged for it before. The mutex is held.
func (a *Agent) admitClaim(e *entry) error {
	k := e.key()
	if a.current(k.Namespace, k.Name) == "" {
		if err := os.MkdirAll(filepath.Join(a.claimRoot(k.Namespace, k.Name), firstGeneration), 0o700); err != nil {
			return err
		}
		if err := a.setCurrent(k.Namespace, k.Name, firstGeneration); err != nil {
			return err
		}
	}
	c := e.typed.(*corev1.PersistentVolumeClaim)
	status, err := plainOf(corev1.PersistentVolumeClaimStatus{
		Phase: corev1.ClaimBound, AccessModes: c.Spec.AccessModes, Capacity: c.Spec.Resources.Requests,
	})
	if err != nil {
		return err
	}
	e.Object.Set(status, "status")
	a.nameVolume(e)
	return nil
}

// nameVolume says in the claim's object which generation is the current one. The mutex is held.
func (a *Agent) nameVolume(e *entry) {
	if current := a.current(e.key().Namespace, e.key().Name); current != "" {
		e.Object.Set(current, "spec", "volumeName")
	}
}

// claimDir returns the directory of the claim's current generation. The mutex is held.
func (a *Agent) claimDir(namespace, claim string) (string, error) {
	if a.store.objects[key{"PersistentVolumeClaim", namespace, claim}] == nil {
		return "", fmt.Errorf("PersistentVolumeClaim/%s does not exist", claim)
	}
	generation := a.current(namespace, claim)
	if generation == "" {
		return "", fmt.Errorf("PersistentVolumeClaim/%s has no content", claim)
	}
	return filepath.Join(a.claimRoot(namespace, claim), generation), nil
}

// users returns the pods that use the claim. The mutex is held.
func (a *Agent) users(namespace, claim string) []*pod {
	var pods []*pod
	for _, p := range a.pods {
		if p.Namespace == namespace && !p.ended() && uses(p, claim) {
			pods = append(pods, p)
		}
	}
	sortPods(pods)
	return pods
}

func uses(p *pod, claim string) bool {
	return slices.ContainsFunc(p.Spec.Volumes, func(v corev1.Volume) bool {
		return v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == claim
	})
}

// unused returns a Conflict while a pod uses the claim.
func (a *Agent) unused(namespace, claim string) error {
	pods := a.users(namespace, claim)
	if len(pods) == 0 {
		return nil
	}
	err := sluice.Errorf(sluice.Conflict, "PersistentVolumeClaim/%s in the namespace %s is in use by the pod %s",
		claim, namespace, pods[0].Name)
	if !pods[0].isOwned() {
		return err.WithHint("no workload owns the pod: end it with sluice local down")
	}
	return err.WithHint("scale %s to 0 first", pods[0].ownerName())
}
