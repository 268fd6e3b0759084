package manifest_test

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/internal/manifest"
)

func TestStatus(t *testing.T) {
	for name, test := range map[string]struct {
		text    string
		phase   manifest.Phase
		message string
	}{
		"deployment not seen": {"{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, generation: 1}}",
			manifest.InProgress, "its controller has not seen the change yet"},
		"deployment stale": {deploy("observedGeneration: 1, replicas: 4, readyReplicas: 4, updatedReplicas: 4, " +
			"availableReplicas: 4"), manifest.InProgress, "its controller has not seen the change yet"},
		"deployment updating": {deploy("observedGeneration: 2, replicas: 4, updatedReplicas: 1, readyReplicas: 4"),
			manifest.InProgress, "1 of 4 replicas updated"},
		"deployment surplus": {deploy("observedGeneration: 2, replicas: 5, updatedReplicas: 4, readyReplicas: 5"),
			manifest.InProgress, "1 old replicas still to end"},
		"deployment unready": {deploy("observedGeneration: 2, replicas: 4, updatedReplicas: 4, readyReplicas: 3"),
			manifest.InProgress, "3 of 4 replicas ready"},
		"deployment unavailable": {deploy("observedGeneration: 2, replicas: 4, updatedReplicas: 4, readyReplicas: 4, " +
			"availableReplicas: 2"), manifest.InProgress, "2 of 4 replicas available"},
		"deployment ready": {deploy("observedGeneration: 2, replicas: 4, updatedReplicas: 4, readyReplicas: 4"),
			manifest.Ready, ""},
		"deployment paused, without pods yet": {paused("observedGeneration: 2"), manifest.InProgress,
			"0 of 4 replicas updated"},
		"deployment paused, with its pods": {paused("observedGeneration: 2, replicas: 4, updatedReplicas: 4, " +
			"readyReplicas: 4, availableReplicas: 4"), manifest.Ready, ""},
		"deployment stuck": {deploy("observedGeneration: 2, conditions: [{type: Progressing, status: 'False', reason: " +
			"ProgressDeadlineExceeded, message: too slow}]"), manifest.Failed, "too slow"},
		"deployment of none": {"{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, generation: 1}, spec: " +
			"{replicas: 0}, status: {observedGeneration: 1}}", manifest.Ready, ""},
		"set ready": {set("", "readyReplicas: 3, currentReplicas: 3, currentRevision: b, updateRevision: b"),
			manifest.Ready, ""},
		"set on old revision": {set("",
			"readyReplicas: 3, updatedReplicas: 2, currentReplicas: 1, currentRevision: a, updateRevision: b"),
			manifest.InProgress, "2 of 3 replicas updated"},
		"set not settled": {set("", "readyReplicas: 3, updatedReplicas: 3, currentRevision: a, updateRevision: b"),
			manifest.InProgress, "revision b is not the current one yet"},
		"set unready": {set("", "readyReplicas: 2, updatedReplicas: 3, currentRevision: b, updateRevision: b"),
			manifest.InProgress, "2 of 3 replicas ready"},
		"set partition": {set("updateStrategy: {rollingUpdate: {partition: 2}}",
			"readyReplicas: 3, updatedReplicas: 1, currentRevision: a, updateRevision: b"), manifest.Ready, ""},
		"set partition waits": {set("updateStrategy: {rollingUpdate: {partition: 1}}",
			"readyReplicas: 3, updatedReplicas: 1, currentRevision: a, updateRevision: b"), manifest.InProgress,
			"1 of 2 replicas updated"},
		"set beyond partition": {set("updateStrategy: {rollingUpdate: {partition: 9}}",
			"readyReplicas: 3, currentRevision: a, updateRevision: b"), manifest.Ready, ""},
		"set on delete": {set("updateStrategy: {type: OnDelete}",
			"readyReplicas: 3, currentRevision: a, updateRevision: b"), manifest.Ready, ""},
		"set settles slowly": {set("minReadySeconds: 10",
			"readyReplicas: 3, currentReplicas: 3, currentRevision: b, updateRevision: b"), manifest.InProgress,
			"0 of 3 replicas available"},
		"daemon not seen": {"{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: a}}", manifest.InProgress,
			"its controller has not seen the change yet"},
		"daemon unready": {daemon("currentNumberScheduled: 2, updatedNumberScheduled: 2, numberReady: 1"),
			manifest.InProgress, "1 of 2 replicas ready"},
		"daemon ready": {daemon("currentNumberScheduled: 2, updatedNumberScheduled: 2, numberReady: 2, numberAvailable: " +
			"2"), manifest.Ready, ""},
		"job runs": {job("active: 1"), manifest.InProgress, "0 of 1 completions, 1 running"},
		"job done": {job("conditions: [{type: Complete, status: 'True'}]"), manifest.Ready, ""},
		"job failed": {job("conditions: [{type: Failed, status: 'True', reason: BackoffLimitExceeded}]"),
			manifest.Failed, "BackoffLimitExceeded"},
		"job about to fail": {job("active: 1, conditions: [{type: FailureTarget, status: 'True', message: too late}]"),
			manifest.Failed, "too late"},
		"job about to be done": {job("active: 1, conditions: [{type: SuccessCriteriaMet, status: 'True'}]"),
			manifest.InProgress, "it has succeeded, and its last pods still end"},
		"job suspended": {job("conditions: [{type: Suspended, status: 'True'}]"), manifest.InProgress, "it is suspended"},
		"job resumed": {job("active: 1, conditions: [{type: Suspended, status: 'False'}]"), manifest.InProgress,
			"0 of 1 completions, 1 running"},
		"claim new": {"{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: a}}", manifest.InProgress,
			"it is new, not bound"},
		"claim bound": {"{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: a}, status: {phase: Bound}}",
			manifest.Ready, ""},
		"claim lost": {"{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: a}, status: {phase: Lost}}",
			manifest.Failed, "its volume is lost"},
		"service": {"{apiVersion: v1, kind: Service, metadata: {name: a}}", manifest.Ready, ""},
		"balancer": {"{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {type: LoadBalancer}}",
			manifest.InProgress, "it has no cluster address yet"},
		"definition new": {"{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: " +
			"a}}", manifest.InProgress, "it is not established yet"},
		"definition": {"{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: " +
			"a}, status: {conditions: [{type: Established, status: 'True'}]}}", manifest.Ready, ""},
		"definition refused": {"{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: " +
			"a}, status: {conditions: [{type: NamesAccepted, status: 'False', message: taken}]}}", manifest.Failed, "taken"},
		"custom silent": {custom("{}"), manifest.Ready, ""},
		"custom not ready": {custom("{conditions: [{type: Ready, status: 'False', message: warming up}]}"),
			manifest.InProgress, "warming up"},
		"custom ready": {custom("{conditions: [{type: Ready, status: 'True'}]}"), manifest.Ready, ""},
		"custom stalled": {custom("{conditions: [{type: Stalled, status: 'True', message: no way}, {type: Ready, " +
			"status: 'True'}]}"), manifest.Failed, "no way"},
		"custom reconciling": {custom("{conditions: [{type: Reconciling, status: 'True'}, {type: Ready, status: " +
			"'True'}]}"), manifest.InProgress, "it is being reconciled"},
		"custom stale": {custom("{observedGeneration: 1, conditions: [{type: Ready, status: 'True'}]}"),
			manifest.InProgress, "its controller has not seen the change yet"},
		"own kind of known name": {"{apiVersion: example.com/v1, kind: Job, metadata: {name: a}}", manifest.Ready, ""},
		"being deleted": {"{apiVersion: v1, kind: Service, metadata: {name: a, deletionTimestamp: " +
			"'2024-01-01T00:00:00Z'}}", manifest.InProgress, "it is being deleted"},
	} {
		if got := manifest.Status(decode(t, test.text)[0]); got.Phase != test.phase || got.Message != test.message {
			t.Errorf("%s: got %+v, want %s %q", name, got, test.phase, test.message)
		}
	}
}

func deploy(status string) string {
	return "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, generation: 2}, spec: {replicas: 4}, status: {" +
		status + "}}"
}

func paused(status string) string {
	return strings.Replace(deploy(status+", conditions: [{type: Progressing, status: Unknown, reason: DeploymentPaused}]"),
		"replicas: 4", "replicas: 4, paused: true", 1)
}

func set(spec, status string) string {
	return "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: a, generation: 1}, spec: {replicas: 3, " + spec +
		"}, status: {observedGeneration: 1, replicas: 3, " + status + "}}"
}

func daemon(status string) string {
	return "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: a}, status: {desiredNumberScheduled: 2, " + status +
		"}}"
}

func job(status string) string {
	return "{apiVersion: batch/v1, kind: Job, metadata: {name: a}, status: {" + status + "}}"
}

func custom(status string) string {
	return "{apiVersion: example.com/v1, kind: Thing, metadata: {name: a, generation: 2}, status: " + status + "}"
}
