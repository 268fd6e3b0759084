package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

// A started pod is a line in the local account's list of all pods that it ever started.
type started struct {
	Event     string    `json:"event"`
	At        time.Time `json:"at"`
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	UID       string    `json:"uid"`
	Owner     string    `json:"owner"`
	Image     string    `json:"image"`
}

// A book counts the pods of each workload and image.
type book map[string]int

// started returns all pods that were ever started, each once.
func (s *stage) started() (_ []started, err error) {
	file, err := os.Open(filepath.Join(s.state, "local", "local", "pods.jsonl"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	var all []started
	known := map[string]bool{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var p started
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			return nil, fmt.Errorf("read %s: %w", s.relative(file.Name()), err)
		}
		if p.Event != "started" || known[p.UID] {
			continue // a line may occur twice, which the uid shows
		}
		known[p.UID] = true
		all = append(all, p)
	}
	return all, lines.Err()
}

// startedSince counts the pods that were started in staging and production.
func (s *stage) startedSince(began time.Time) (book, error) {
	pods, err := s.started()
	counted := book{}
	for _, p := range pods {
		if p.At.After(began) && (p.Namespace == "staging" || p.Namespace == "production") {
			counted[strings.Join([]string{p.Namespace, p.Owner, p.Image}, " ")]++
		}
	}
	return counted, err
}

// replicas is the number of replicas of the shop's Deployment.
const replicas = 2

// repeated names every pod that an undisturbed deployment does not start. Such a deployment starts one pod of each Job,
// the replicas of each version of the shop, and one database if its volume was replaced.
func (b book) repeated() []string {
	var found []string
	for _, what := range slices.Sorted(maps.Keys(b)) {
		allowed := 1
		if strings.Contains(what, " Deployment/") {
			allowed = replicas
		}
		for n := b[what]; n > allowed; n-- {
			found = append(found, "a pod of "+what)
		}
	}
	return found
}

// checkpoints counts a deployment's checkpoints by the step that took them.
func (s *stage) checkpoints(ctx context.Context, d *deployment) (map[sluice.StepID]int, error) {
	all, err := list[checkpoint](ctx, s, "data", "list")
	if err != nil {
		return nil, err
	}
	counted := map[sluice.StepID]int{}
	for _, c := range all {
		if c.Deployment == d.ID {
			counted[c.Step]++
		}
	}
	if len(counted) == 0 {
		return nil, errors.New("the deployment left no checkpoint")
	}
	return counted, nil
}
