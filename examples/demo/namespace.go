package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/examples/shop/orders"
)

// A scene is everything in a namespace: its processes, its objects and its data.
type scene struct {
	pods    []string // name, image and restarts of each, then the processes
	objects map[string][sha256.Size]byte
	orders  orders.Digests
}

// look returns the scene of a namespace.
func (s *stage) look(ctx context.Context, namespace string) (scene, error) {
	pods, err := s.pods(ctx, namespace)
	if err != nil {
		return scene{}, err
	}
	var now scene
	for _, p := range pods {
		now.pods = append(now.pods, fmt.Sprint(p.Name, " ", p.Image, " ", p.Restarts))
	}
	known, err := s.started()
	if err != nil {
		return scene{}, err
	}
	processes, err := processes(known, namespace)
	if err != nil {
		return scene{}, err
	}
	now.pods = append(now.pods, processes...)
	if now.objects, err = s.objects(namespace); err != nil {
		return scene{}, err
	}
	now.orders, err = s.orders(ctx, namespace)
	return now, err
}

// differs says how two looks at a namespace differ, "" if they do not.
func (a scene) differs(b scene) string {
	switch {
	case !slices.Equal(a.pods, b.pods):
		return fmt.Sprintf("the pods were %q and are %q", a.pods, b.pods)
	case fmt.Sprint(a.objects) != fmt.Sprint(b.objects):
		return "the objects are not the same"
	case !a.orders.Equal(b.orders):
		return "the orders are not the same"
	}
	return ""
}

func (s *stage) pods(ctx context.Context, namespace string) ([]sluice.Pod, error) {
	return list[sluice.Pod](ctx, s, "local", "ps", "--namespace", namespace)
}

// processes finds the processes of a namespace's pods in the kernel's list.
func processes(known []started, namespace string) ([]string, error) {
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil, err
	}
	var found []string
	for _, file := range all {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the process has ended or belongs to somebody else
		}
		for _, p := range known {
			if p.Namespace == namespace && bytes.Contains(text, []byte("\x00SLUICE_POD="+p.UID+"\x00")) {
				found = append(found, fmt.Sprint(p.Name, " process ", filepath.Base(filepath.Dir(file))))
			}
		}
	}
	slices.Sort(found)
	return found, nil
}

// objects returns digests of a namespace's objects, as the local account stores them on disk.
func (s *stage) objects(namespace string) (map[string][sha256.Size]byte, error) {
	found := map[string][sha256.Size]byte{}
	top := filepath.Join(s.state, "local", "local", "objects")
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(filepath.Dir(path)) != namespace {
			return err
		}
		text, err := os.ReadFile(path)
		found[path] = sha256.Sum256(text)
		return err
	})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("no declared object was found in %s", s.relative(top))
	}
	return found, err
}
