package agent

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/volume"
)

func (a *Agent) handleVolumes(mux *http.ServeMux) {
	handle(mux, "/cut", a.Cut)
	handle(mux, "/stage", func(_ context.Context, r VolumeRequest) (sluice.Volume, error) { return a.Stage(r) })
	handle(mux, "/use", func(_ context.Context, r VolumeRequest) (string, error) { return a.Use(r) })
	handle(mux, "/discard", func(_ context.Context, r VolumeRequest) (none, error) { return none{}, a.Discard(r) })
}

// checkGeneration refuses names that are not plain file names.
func checkGeneration(name string) error {
	if wrong := validation.IsDNS1123Subdomain(name); len(wrong) > 0 || name == "current" {
		return sluice.Errorf(sluice.Invalid, "%q is not a name that a generation may have", name).
			WithHint("use lower-case letters, digits, dots and dashes")
	}
	return nil
}

func (r VolumeRequest) check() error {
	for _, name := range []string{r.Namespace, r.Claim} {
		if wrong := validation.IsDNS1123Subdomain(name); len(wrong) > 0 {
			return sluice.Errorf(sluice.Invalid, "%q is not the name of a namespace or claim", name)
		}
	}
	return checkGeneration(r.Generation)
}

func (a *Agent) generationDir(r VolumeRequest) string {
	return filepath.Join(a.claimRoot(r.Namespace, r.Claim), r.Generation)
}

// Describe says how each claim could be cut.
func (a *Agent) Describe(r ClaimsRequest) ([]sluice.ClaimState, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]sluice.ClaimState, 0, len(r.Claims))
	for _, c := range r.Claims {
		if a.store.objects[key{"PersistentVolumeClaim", r.Namespace, c}] == nil {
			return nil, sluice.Errorf(sluice.NotFound, "there is no PersistentVolumeClaim/%s in the namespace %s",
				c, r.Namespace)
		}
		s := sluice.ClaimState{Claim: c, Generation: a.current(r.Namespace, c), Way: sluice.CutFreeze}
		for _, p := range a.users(r.Namespace, c) {
			if p.Labels[sluice.WorkLabel] == "" {
				s.Users = append(s.Users, p.ownerName())
			}
		}
		slices.Sort(s.Users)
		s.Users = slices.Compact(s.Users)
		list = append(list, s)
	}
	return list, nil
}

// Stage makes an empty generation of a claim. It returns an existing one as it is.
func (a *Agent) Stage(r VolumeRequest) (sluice.Volume, error) {
	if err := r.check(); err != nil {
		return sluice.Volume{}, err
	}
	dir := a.generationDir(r)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return sluice.Volume{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return sluice.Volume{
		Namespace: r.Namespace, Claim: r.Claim, Generation: r.Generation, Dir: dir,
		Current: a.current(r.Namespace, r.Claim) == r.Generation,
	}, syncDir(filepath.Dir(dir))
}

// Use makes the generation the current one.
func (a *Agent) Use(r VolumeRequest) (before string, err error) {
	if err := r.check(); err != nil {
		return "", err
	}
	if _, err := os.Stat(a.generationDir(r)); err != nil {
		return "", sluice.Errorf(sluice.NotFound, "PersistentVolumeClaim/%s in the namespace %s has no generation %s",
			r.Claim, r.Namespace, r.Generation)
	}
	// The content must not be lost once pods rely on it.
	if err := volume.Sync(a.generationDir(r)); err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	before = a.current(r.Namespace, r.Claim)
	if before == r.Generation {
		return before, nil
	}
	if err := a.unused(r.Namespace, r.Claim); err != nil {
		return "", err
	}
	if err := a.setCurrent(r.Namespace, r.Claim, r.Generation); err != nil {
		return "", err
	}
	e := a.store.objects[key{"PersistentVolumeClaim", r.Namespace, r.Claim}]
	if e == nil {
		return before, nil
	}
	a.nameVolume(e)
	return before, a.store.put(e)
}

// Discard deletes the generation. It is renamed first, so that nobody finds half of it.
func (a *Agent) Discard(r VolumeRequest) error {
	if err := r.check(); err != nil {
		return err
	}
	a.mu.Lock()
	current := a.current(r.Namespace, r.Claim)
	a.mu.Unlock()
	if current == r.Generation {
		return sluice.Errorf(sluice.Conflict, "%s is the current generation of PersistentVolumeClaim/%s",
			r.Generation, r.Claim)
	}
	root := a.claimRoot(r.Namespace, r.Claim)
	if err := os.Remove(filepath.Join(root, ".cut-"+r.Generation+".json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	part := filepath.Join(root, ".part-"+r.Generation)
	err := errors.Join(os.RemoveAll(part), ignoreAbsent(os.Rename(a.generationDir(r), part)))
	return errors.Join(err, os.RemoveAll(part))
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
