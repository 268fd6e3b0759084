package data

import (
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/e2e/world"
)

// unstarted is how a deployment ends whose faults are found before anything starts.
const unstarted sluice.Status = ""

// others are the faults beside those that kill.
var others = []fault{
	{
		name: "a repository is away for a minute", file: "copy", at: &copying, ends: sluice.StatusSucceeded,
		before: (*run).useBucket, heal: (*run).useDirectory,
		happen: func(r *run) {
			r.bucket.Stop()
			time.Sleep(time.Minute)
			r.bucket.Start(r.T)
		},
	},
	{
		name: "a repository is away for good", file: "copy", at: &copying, ends: sluice.StatusFailed,
		says:   []string{"the repository", "cannot be reached"},
		before: func(r *run) { r.Configure(repositoryIn(r.World, r.bucket) + "retryFor: 2s\n") },
		happen: func(r *run) { r.bucket.Stop() },
		heal: func(r *run) {
			r.bucket.Start(r.T)
			r.useDirectory()
		},
	},
	{
		name: "a bit of a stored block flips", file: "copy", at: &proving, ends: sluice.StatusRolledBack,
		says:   []string{"is damaged", "orders"},
		happen: func(r *run) { r.flip = r.flipBit() },
		heal:   func(r *run) { r.flip() },
	},
	{
		name: "a bit of a checkpoint flips", file: "back", at: &goingBack,
		ends: sluice.StatusRolledBack, says: []string{"is damaged", "orders"},
		happen: func(r *run) { r.flip = r.flipBit() },
		heal:   func(r *run) { r.flip() },
	},
	{
		name: "the target's volume is full", file: "copy", ends: sluice.StatusRolledBack, short: true,
		says:   []string{"no space", "mongo-data"},
		before: func(r *run) { r.resize("8Mi") }, after: func(r *run) { r.resize("1Gi") },
	},
	{
		name: "another pod uses the claim", file: "copy", short: true, ends: unstarted,
		says:   []string{"the claim mongo-data of staging is also used by Pod/other"},
		before: func(r *run) { r.staging.Put(other); r.staging.Ready("Pod", "other") },
		after:  func(r *run) { r.staging.Kill("other") },
	},
	{
		name: "another pod begins to use the claim", file: "copy", at: &copying, ends: sluice.StatusRolledBack,
		says:   []string{"the claim mongo-data of staging is also used by Pod/other"},
		happen: func(r *run) { r.staging.Put(other) },
		heal:   func(r *run) { r.staging.Kill("other") },
	},
	{
		name: "the file names another namespace", file: "typo", short: true, ends: unstarted,
		says: []string{"has no namespace", "did you mean"},
		before: func(r *run) {
			text := strings.ReplaceAll(copyFile, "%s", strings.Replace(r.Namespace, "rollout", "rolout", 1))
			r.Write("typo.yaml", text)
		},
	},
	{
		name: "a repository is away for good", file: "copy", stop: true, at: &copying, ends: sluice.StatusFailed,
		says:   []string{"the repository", "cannot be reached"},
		before: func(r *run) { r.Configure(repositoryIn(r.World, r.bucket) + "retryFor: 2s\n") },
		happen: func(r *run) { r.bucket.Stop(); ready(r.World) },
		heal: func(r *run) {
			r.bucket.Start(r.T)
			r.useDirectory()
		},
	},
	{
		name: "the source's claim is deleted", file: "copy", at: &copying, ends: sluice.StatusSucceeded, strays: true,
		happen: func(r *run) {
			r.Delete("StatefulSet", "mongo")
			r.Delete("PersistentVolumeClaim", "mongo-data")
		},
		heal: (*run).fill,
	},
	{
		name: "the source's workload is deleted", file: "copy", at: &copying, ends: sluice.StatusSucceeded, strays: true,
		happen: func(r *run) { r.Delete("StatefulSet", "mongo") },
		heal:   func(r *run) { r.Put(r.manifest("mongo-1.23.yaml")) },
	},
	{
		name: "the node is lost for a minute", file: "copy", at: &restoring,
		ends: sluice.StatusSucceeded,
		happen: func(r *run) {
			r.try(r.staging.Cluster.LoseNode(r.Context()))
			r.killMover()
			time.Sleep(time.Minute)
			r.try(r.staging.Cluster.FindNode(r.Context()))
		},
	},
}

// other is a pod that uses the claim of the dataset.
const other = `{apiVersion: v1, kind: Pod, metadata: {name: other}, spec: {terminationGracePeriodSeconds: 0,
  containers: [{name: other, image: "{{.Image}}", imagePullPolicy: Never, args: [serve],
    volumeMounts: [{name: data, mountPath: /data}]}],
  volumes: [{name: data, persistentVolumeClaim: {claimName: mongo-data}}]}}`

func (r *run) try(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *run) useBucket() { r.Configure(repositoryIn(r.World, r.bucket)) }

func (r *run) useDirectory() { r.Configure("") }

// fill gives production a new database with the same orders.
func (r *run) fill() {
	r.Put(r.manifest("mongo-1.23.yaml"))
	ready(r.World)
	r.Put(r.manifest("seed-1.0.yaml"))
	r.Ready("Job", "seed")
	r.World.Delete("Job", "seed")
}

// resize gives staging an empty database on a claim of the size.
func (r *run) resize(size string) {
	w := r.staging
	w.Delete("StatefulSet", "mongo")
	w.Delete("PersistentVolumeClaim", "mongo-data")
	w.Put(strings.ReplaceAll(r.manifest("mongo-1.23.yaml"), "1Gi", size))
	ready(w)
}

func ready(w *world.World) { w.Ready("StatefulSet", "mongo") }
