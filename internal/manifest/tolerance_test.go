package manifest_test

import (
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

func TestStatusWithinATolerance(t *testing.T) {
	const stalled = ", conditions: [{type: Stalled, status: 'True', message: no image}]"
	for name, test := range map[string]struct {
		text    string
		may     sluice.Tolerance
		phase   manifest.Phase
		message string
	}{
		"all ready": {deploy("observedGeneration: 2, replicas: 4, updatedReplicas: 4, readyReplicas: 4"),
			sluice.Tolerance{Pods: 1}, manifest.Ready, ""},
		"one unready": {deploy("observedGeneration: 2, replicas: 4, updatedReplicas: 4, readyReplicas: 3"),
			sluice.Tolerance{Pods: 1}, manifest.Ready, "3 of 4 pods ready (1 may be unready)"},
		"one unready in a quarter": {deploy("observedGeneration: 2, replicas: 4, updatedReplicas: 4, readyReplicas: 3"),
			sluice.Tolerance{Percent: 25}, manifest.Ready, "3 of 4 pods ready (1 may be unready)"},
		"a share is rounded down": {deploy("observedGeneration: 2, replicas: 4, updatedReplicas: 4, readyReplicas: 3"),
			sluice.Tolerance{Percent: 24}, manifest.InProgress, "3 of 4 replicas ready"},
		"two unready": {deploy("observedGeneration: 2, replicas: 4, updatedReplicas: 4, readyReplicas: 2"),
			sluice.Tolerance{Pods: 1}, manifest.InProgress, "2 of 4 replicas ready (1 may be unready)"},
		"never all": {deploy("observedGeneration: 2, replicas: 4, updatedReplicas: 4, readyReplicas: 0"),
			sluice.Tolerance{Pods: 9}, manifest.InProgress, "0 of 4 replicas ready (3 may be unready)"},
		"an old pod": {deploy("observedGeneration: 2, replicas: 4, updatedReplicas: 3, readyReplicas: 4"),
			sluice.Tolerance{Pods: 1}, manifest.InProgress, "3 of 4 replicas updated (1 may be unready)"},
		"one cannot start": {deploy("observedGeneration: 2, replicas: 4, updatedReplicas: 4, readyReplicas: 3" + stalled),
			sluice.Tolerance{Pods: 1}, manifest.Ready, "3 of 4 pods ready (1 may be unready)"},
		"one cannot start, another starts": {
			deploy("observedGeneration: 2, replicas: 4, updatedReplicas: 4, readyReplicas: 2" + stalled),
			sluice.Tolerance{Pods: 1}, manifest.InProgress, "no image (1 may be unready)"},
		"none can start": {deploy("observedGeneration: 2, replicas: 4, updatedReplicas: 4, readyReplicas: 0" + stalled),
			sluice.Tolerance{Pods: 1}, manifest.Failed, "no image (1 may be unready)"},
		"not seen": {deploy("observedGeneration: 1, replicas: 4, updatedReplicas: 4, readyReplicas: 3"),
			sluice.Tolerance{Pods: 1}, manifest.InProgress, "its controller has not seen the change yet"},
		"a set": {set("", "readyReplicas: 2, updatedReplicas: 3, currentRevision: a, updateRevision: b"),
			sluice.Tolerance{Pods: 1}, manifest.Ready, "2 of 3 pods ready (1 may be unready)"},
		"a set whose pod holds the others up": {
			set("", "readyReplicas: 1, updatedReplicas: 1, currentRevision: a, updateRevision: b"+stalled),
			sluice.Tolerance{Pods: 1}, manifest.Failed, "no image (1 may be unready)"},
		"a daemon": {daemon("currentNumberScheduled: 2, updatedNumberScheduled: 2, numberReady: 1, numberAvailable: 1"),
			sluice.Tolerance{Pods: 1}, manifest.Ready, "1 of 2 pods ready (1 may be unready)"},
		"no workload": {custom("{conditions: [{type: Ready, status: 'False', message: warming up}]}"),
			sluice.Tolerance{Pods: 1}, manifest.InProgress, "warming up"},
	} {
		got := manifest.StatusWithin(decode(t, test.text)[0], test.may)
		if got.Phase != test.phase || got.Message != test.message {
			t.Errorf("%s: got %+v, want %s %q", name, got, test.phase, test.message)
		}
	}
}
