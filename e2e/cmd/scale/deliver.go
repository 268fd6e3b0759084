package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/deployfile"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/keyfile"
	"github.com/sluice-cd/sluice/internal/kubernetes"
	"github.com/sluice-cd/sluice/internal/plan"
	"github.com/sluice-cd/sluice/internal/sqlite"
	"github.com/sluice-cd/sluice/internal/step"
)

// A report is what the measured process reports about itself.
type report struct {
	Begun   time.Time     `json:"begun"`
	Elapsed time.Duration `json:"elapsed"`
	CPU     time.Duration `json:"cpu"`
	Plane   time.Duration `json:"plane"` // processor time of the control plane
	RSS     int64         `json:"rss"`
}

// A delivery is the task of the measured process.
type delivery struct {
	Kubeconfig string `json:"kubeconfig"`
	Namespace  string `json:"namespace"`
	Canaries   int    `json:"canaries"`
	Replicas   int    `json:"replicas"` // of each
	Steps      int    `json:"steps"`    // of each
}

// run delivers version 1 of every application, then version 2 as a canary. Only the canary is measured.
func (d delivery) run(ctx context.Context) error {
	bootstrap.SaveMemory()
	dir, err := os.MkdirTemp("", "sluice-scale-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	e, err := newEngine(ctx, d.Kubeconfig, dir)
	if err != nil {
		return err
	}
	defer func() { _ = e.Stop(context.WithoutCancel(ctx)) }()
	if err := d.release(ctx, e, "image:1"); err != nil {
		return err
	}
	stop, err := startProfile()
	if err != nil {
		return err
	}
	defer stop()
	r := report{}
	r.Plane, err = planeTime(ctx, func() error {
		before, begun := processorTime(), time.Now()
		err := d.release(ctx, e, "image:2")
		r.Begun, r.Elapsed, r.CPU = begun, time.Since(begun), processorTime()-before
		return err
	})
	if err != nil {
		return err
	}
	if r.RSS, err = resident(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// startProfile writes a processor profile to the file that SCALE_PROFILE names, if it is set.
func startProfile() (stop func(), err error) {
	name := os.Getenv("SCALE_PROFILE")
	if name == "" {
		return func() {}, nil
	}
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = file.Close() // pprof reports an incomplete profile
	}, pprof.StartCPUProfile(file)
}

// processorTime is the processor time of this process so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it cannot fail with these arguments
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func newEngine(ctx context.Context, kubeconfig, dir string) (*engine.Engine, error) {
	key, err := keyfile.Open(filepath.Join(dir, "key"), nil)
	if err != nil {
		return nil, err
	}
	store, err := sqlite.Open(ctx, filepath.Join(dir, "sluice.db"))
	if err != nil {
		return nil, err
	}
	account, err := kubernetes.Open(ctx, kubernetes.Options{Name: "scale", Kubeconfig: kubeconfig, UserAgent: agent})
	if err != nil {
		return nil, err
	}
	accounts := map[string]sluice.Account{"scale": account.Abilities()}
	steps := step.New(step.Deps{Accounts: accounts, Sealer: key, Catalogue: store})
	return engine.New(engine.Config{
		Store: store, Steps: steps, Now: time.Now, Random: rand.Reader,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}), nil
}

// release delivers every application and waits until all have succeeded.
func (d delivery) release(ctx context.Context, e *engine.Engine, image string) error {
	g, ctx := errgroup.WithContext(ctx)
	begins := make(chan struct{}, writers)
	for i := range d.Canaries {
		g.Go(func() error {
			begins <- struct{}{}
			id, err := d.start(ctx, e, i, image)
			<-begins
			if err != nil {
				return err
			}
			status, err := e.Wait(ctx, id)
			if err == nil && status != sluice.StatusSucceeded {
				err = fmt.Errorf("canary %d is %s", i, status)
			}
			return err
		})
	}
	return g.Wait()
}

func (d delivery) start(ctx context.Context, e *engine.Engine, i int, image string) (sluice.DeploymentID, error) {
	p, err := d.plan(i, image)
	if err != nil {
		return "", err
	}
	return e.Start(ctx, p, sluice.Actor{Name: "scale"})
}

const deployFile = `version: v1
kind: kubernetes
application: canary-%d
targets:
  production: {account: scale, namespace: %s, strategy: steps}
manifests:
  - inline: |
      apiVersion: apps/v1
      kind: Deployment
      metadata: {name: canary-%d}
      spec:
        replicas: %d
        selector: {matchLabels: {app: canary-%d}}
        template:
          metadata: {labels: {app: canary-%d}}
          spec: {containers: [{name: main, image: "%s"}]}
strategies:
  steps: {canary: {steps: [%s]}}
`

func (d delivery) plan(i int, image string) (*sluice.Plan, error) {
	text := fmt.Sprintf(deployFile, i, d.Namespace, i, d.Replicas, i, i, image, setWeights(d.Steps))
	spec, found := deployfile.Parse("deploy.yaml", []byte(text))
	if found.HasErrors() {
		return nil, found
	}
	p, found := plan.Compile(spec, plan.Options{Root: "."})
	if found.HasErrors() {
		return nil, found
	}
	return p, nil
}

// weights are those of the steps: from 25 % up to 50 %, and a last one of 100 %.
func weights(steps int) []int {
	var list []int
	for i := range steps - 1 {
		list = append(list, 25+25*i/max(1, steps-2))
	}
	return append(list, 100)
}

// setWeights are the steps of the deploy file.
func setWeights(steps int) string {
	var list []string
	for _, weight := range weights(steps) {
		list = append(list, fmt.Sprintf("{setWeight: {weight: %d}}", weight))
	}
	return strings.Join(list, ", ")
}

// resident is how much memory this process has.
func resident() (int64, error) {
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	pages, err := strconv.ParseInt(strings.Fields(string(raw))[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}
