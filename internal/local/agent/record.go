package agent

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-cd/sluice/internal/local/process"
)

// An owner is the workload that a pod belongs to. It is empty when the workload was orphaned.
type owner struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	UID  string `json:"uid"`
}

// A record is the part of a pod that must survive the agent.
type record struct {
	UID         string            `json:"uid"`
	Namespace   string            `json:"namespace"`
	Name        string            `json:"name"`
	Owner       owner             `json:"owner"`
	Revision    string            `json:"revision"` // the hash of its template
	Ordinal     int               `json:"ordinal"`  // StatefulSet
	IP          string            `json:"ip"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Spec        corev1.PodSpec    `json:"spec"`
	CreatedAt   time.Time         `json:"createdAt"`
	Phase       corev1.PodPhase   `json:"phase"`
	StoppingAt  time.Time         `json:"stoppingAt,omitzero"`
	EndedAt     time.Time         `json:"endedAt,omitzero"`
	Reason      string            `json:"reason,omitempty"`  // why it was stopped or ended
	LastEnd     string            `json:"lastEnd,omitempty"` // how the container that was restarted last had ended
	Containers  []containerRecord `json:"containers"`        // those of the spec, then its init containers
}

// A containerRecord is the part of a container that must survive the agent.
type containerRecord struct {
	Process   *process.Identity `json:"process,omitempty"` // nil while none was started
	StartedAt time.Time         `json:"startedAt,omitzero"`
	Restarts  int               `json:"restarts"`
	ExitCode  *int              `json:"exitCode,omitempty"` // of the last process, where known
	Ended     bool              `json:"ended,omitempty"`    // will not be started again
}

// A pod is one replica: its record, and what this agent process knows about it. Its fields are guarded by the agent's
// mutex.
type pod struct {
	record
	containers []*container    // those of the spec, then its init containers
	ctx        context.Context // ends when its processes must
	cancel     context.CancelFunc
	readySince time.Time
	frozen     bool          // for a Cut
	thawedAt   time.Time     // when it was last frozen no longer
	done       chan struct{} // closed once nothing of it runs
}

// A container is one process of a pod, over all its restarts.
type container struct {
	spec    corev1.Container
	role    role
	ctx     context.Context // ends when its processes must
	end     context.CancelFunc
	up      chan struct{} // closed once it has started for the first time
	rec     *containerRecord
	started bool // its startup probe has succeeded
	ready   bool
	reason  string // why it is not ready
	faults  int    // how often in a row its process did not start, or ended within a minute
	kill    chan string
}

func newPod(ctx context.Context, r record) *pod {
	p := &pod{record: r, done: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancel(ctx)
	specs := r.specs()
	if len(p.Containers) == 0 {
		p.Containers = make([]containerRecord, len(specs))
	}
	for i, spec := range specs {
		c := &container{spec: spec, rec: &p.Containers[i], role: roleOf(spec, i >= len(p.Spec.Containers)),
			up: make(chan struct{}), reason: "starting", kill: make(chan string, 1)}
		parent := p.ctx
		if c.role == sidecar {
			parent = ctx // it outlives the others
		}
		c.ctx, c.end = context.WithCancel(parent)
		p.containers = append(p.containers, c)
	}
	return p
}

// revisionName spells the revision as the status of the pod's workload does.
func (p *pod) revisionName() string {
	if p.Owner.Kind == "StatefulSet" {
		return p.Owner.Name + "-" + p.Revision
	}
	return p.Revision
}

func (p *pod) stopping() bool { return !p.StoppingAt.IsZero() }
func (p *pod) ended() bool    { return p.Phase == corev1.PodSucceeded || p.Phase == corev1.PodFailed }

func (p *pod) ready() bool {
	unready := func(c *container) bool { return c.role != initial && !c.ready }
	return !p.stopping() && !p.ended() && !slices.ContainsFunc(p.containers, unready)
}

// availableAt returns when the pod has been ready for long enough, the zero time while it is not ready.
func (p *pod) availableAt(minReadySeconds int32) time.Time {
	if !p.ready() {
		return time.Time{}
	}
	return p.readySince.Add(time.Duration(minReadySeconds) * time.Second)
}

// everStarted reports whether a process of the pod was ever recorded.
func (p *pod) everStarted() bool {
	return slices.ContainsFunc(p.Containers, func(c containerRecord) bool {
		return c.Process != nil || !c.StartedAt.IsZero()
	})
}

// specs returns the containers of the spec, then its init containers.
func (r record) specs() []corev1.Container {
	return slices.Concat(r.Spec.Containers, r.Spec.InitContainers)
}

func (r record) isOwned() bool { return r.Owner != owner{} }

// ownerName returns the workload as Kind/name. As in a cluster, a pod without an owner counts as its own.
func (r record) ownerName() string {
	if !r.isOwned() {
		return "Pod/" + r.Name
	}
	return r.Owner.Kind + "/" + r.Owner.Name
}

// replicaSet returns the name that a Deployment's pods of one template have in common.
func (r record) replicaSet() string { return r.Name[:max(0, strings.LastIndexByte(r.Name, '-'))] }

func (r record) restarts() int {
	n := 0
	for _, c := range r.Containers {
		n += c.Restarts
	}
	return n
}

func (p *pod) grace() time.Duration {
	if s := p.Spec.TerminationGracePeriodSeconds; s != nil {
		return time.Duration(*s) * time.Second
	}
	return 30 * time.Second
}

// Variables in the environment of every process that say which directory its account has, and which address its pod.
const (
	directoryVariable = "SLUICE_ACCOUNT_DIR"
	addressVariable   = "SLUICE_POD_IP"
)

// The marks are variables in the environment of every process of an account, of a pod and of a container.
func accountMark(id string) string { return "SLUICE_ACCOUNT=" + id }

func (p *pod) mark() string { return "SLUICE_POD=" + p.UID }

func containerMark(uid, container string) string { return "SLUICE_CONTAINER=" + uid + "." + container }

func (a *Agent) podDir(uid string) string { return filepath.Join(a.dir, "pods", uid) }

func (a *Agent) podRoot(uid string) string { return filepath.Join(a.podDir(uid), "root") }

// containerRoot is the container's own directory: its home, and the base of its mount paths.
func (a *Agent) containerRoot(p *pod, c *container) string {
	return filepath.Join(a.podRoot(p.UID), c.spec.Name)
}

func (a *Agent) logDir(namespace, name string) string {
	return filepath.Join(a.dir, "logs", namespace, name)
}

func recordFile(account, uid string) string { return filepath.Join(account, "pods", uid, "pod.json") }

// save writes the pod's record. The agent's mutex is held.
func (a *Agent) save(p *pod) error {
	return writeJSON(recordFile(a.dir, p.UID), p.record)
}

// loadRecords reads the pods of the account in the directory.
func loadRecords(account string) ([]record, error) {
	dirs, err := os.ReadDir(filepath.Join(account, "pods"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var records []record
	for _, d := range dirs {
		var r record
		ok, err := readJSON(recordFile(account, d.Name()), &r)
		if err != nil {
			return nil, err
		}
		if ok {
			records = append(records, r)
		}
	}
	return records, nil
}

// removeUnrecorded removes the directories of pods whose creation was interrupted before anything was started.
func removeUnrecorded(account string, records []record) error {
	dirs, err := os.ReadDir(filepath.Join(account, "pods"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, d := range dirs {
		if slices.ContainsFunc(records, func(r record) bool { return r.UID == d.Name() }) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(account, "pods", d.Name())); err != nil {
			return err
		}
	}
	return nil
}
