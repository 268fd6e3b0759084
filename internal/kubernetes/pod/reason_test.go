package pod

import (
	"encoding/json"
	"testing"
)

func TestReason(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"ready": {
			`{"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}`, "",
		},
		"ready and ending is not ready": {
			`{"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "status": {"conditions": [{"type": "Ready",
				"status": "True"}]}}`, "it is ending",
		},
		"of a Job that has failed": {
			`{"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"containers": [{"name": "a"}]},
				"status": {"containerStatuses": [{"name": "a", "restartCount": 1, "state": {"running": {}},
				"lastState": {"terminated": {"exitCode": 3, "reason": "Error"}}}]}}`,
			"it ended with status 3; it is ending",
		},
		"no node": {
			`{"status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
				"reason": "Unschedulable", "message": "0/1 nodes are available:\n 1 Insufficient cpu."}]}}`,
			"no node takes it: 0/1 nodes are available: 1 Insufficient cpu",
		},
		"image": {
			`{"spec": {"containers": [{"name": "a"}]}, "status": {"containerStatuses": [{"name": "a",
				"state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"x\""}}}]}}`,
			`ImagePullBackOff: Back-off pulling image "x"`,
		},
		"crash loop of one of several": {
			`{"spec": {"containers": [{"name": "a"}, {"name": "b"}]}, "status": {"containerStatuses": [{"name": "a",
				"ready": true, "state": {"running": {}}},
			  {"name": "b", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff",
				"message": "back-off 40s"}}, "lastState": {"terminated": {"exitCode": 2, "reason": "Error"}}}]}}`,
			"container b: CrashLoopBackOff: it ended with status 2",
		},
		"memory": {
			`{"spec": {"containers": [{"name": "a"}]}, "status": {"containerStatuses": [{"name": "a",
				"state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]}}`,
			"it was killed for using more memory than its limit",
		},
		"init container": {
			`{"spec": {"containers": [{"name": "a"}]}, "status": {"initContainerStatuses": [{"name": "i",
				"state": {"terminated": {"exitCode": 1}}}], "containerStatuses": [{"name": "a",
				"state": {"waiting": {"reason": "PodInitializing"}}}]}}`,
			"init container i: it ended with status 1",
		},
		"probe": {
			`{"spec": {"containers": [{"name": "a"}]}, "status": {"phase": "Running", "conditions": [{"type": "Ready",
				"status": "False"}], "containerStatuses": [{"name": "a", "state": {"running": {}}}]}}`,
			"it runs, and its readiness probe does not succeed yet",
		},
		"evicted": {
			`{"status": {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory. "}}`,
			"Evicted: The node was low on resource: memory",
		},
		"lost node": {
			`{"spec": {"nodeName": "n1", "containers": [{"name": "a"}]}, "status": {"phase": "Running", "conditions": [
				{"type": "Ready", "status": "False"}], "containerStatuses": [{"name": "a", "ready": true,
				"state": {"running": {}}}]}}`,
			"its node n1 does not answer",
		},
		"not started by its node": {
			`{"spec": {"nodeName": "n1", "containers": [{"name": "a"}]}, "status": {"phase": "Pending"}}`,
			"it is starting on the node n1",
		},
		"not ended by its node": {
			`{"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"nodeName": "n1"}}`,
			"it is ending on the node n1",
		},
		"nothing known": {`{"status": {"phase": "Pending"}}`, "it is starting"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var p Pod
			if err := json.Unmarshal([]byte(tt.in), &p); err != nil {
				t.Fatal(err)
			}
			if got := p.Summary().Reason; got != tt.want {
				t.Errorf("reason %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLastEnd(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"never restarted": {`{"status": {"containerStatuses": [{"name": "a", "state": {"running": {}}}]}}`, ""},
		"the latest of several": {
			`{"spec": {"containers": [{"name": "a"}, {"name": "b"}]}, "status": {"containerStatuses": [
				{"name": "a", "restartCount": 1,
					"lastState": {"terminated": {"exitCode": 3, "finishedAt": "2026-01-01T00:00:02Z"}}},
				{"name": "b", "restartCount": 1,
					"lastState": {"terminated": {"exitCode": 2, "finishedAt": "2026-01-01T00:00:01Z"}}}]}}`,
			"container a: it ended with status 3",
		},
		"an init container": {
			`{"spec": {"containers": [{"name": "a"}]}, "status": {"initContainerStatuses": [{"name": "i", "restartCount": 1,
				"state": {"running": {}}, "lastState": {"terminated": {"exitCode": 1}}}],
				"containerStatuses": [{"name": "a", "state": {"waiting": {"reason": "PodInitializing"}}}]}}`,
			"init container i: it ended with status 1",
		},
	} {
		var p Pod
		if err := json.Unmarshal([]byte(tt.in), &p); err != nil {
			t.Fatal(err)
		}
		s := p.Summary()
		if s.LastEnd != tt.want || (s.Restarts > 0) != (tt.want != "") {
			t.Errorf("%s: %q with %d restarts, want %q", name, s.LastEnd, s.Restarts, tt.want)
		}
	}
}
