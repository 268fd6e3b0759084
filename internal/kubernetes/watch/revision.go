package watch

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"sync"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/kubernetes/client"
)

// A replicaSet is the part of a ReplicaSet that is kept. The template of a ReplicaSet never changes.
type replicaSet struct {
	ownerUID string
	template [sha256.Size]byte
}

// replicaSets remembers ReplicaSets by uid, so that each is read once.
type replicaSets struct {
	client *client.Client
	mu     sync.Mutex
	known  map[string]replicaSet
}

// maxReplicaSets bounds how many are remembered.
const maxReplicaSets = 4096

// isCurrent reports whether the pod runs the template of its Deployment.
func (s *replicaSets) isCurrent(ctx context.Context, deployment sluice.Object, r replica) (bool, error) {
	set, err := s.read(ctx, r)
	if err != nil || set.ownerUID != deployment.Text("metadata", "uid") {
		return false, err
	}
	want, err := templateDigest(deployment)
	return want == set.template, err
}

// read returns the ReplicaSet of the pod, the zero value if it is gone.
func (s *replicaSets) read(ctx context.Context, r replica) (replicaSet, error) {
	if set, ok := s.get(r.ownerUID); ok {
		return set, nil
	}
	var o sluice.Object
	err := s.client.Call(ctx, client.Request{
		Op: "read ReplicaSet/" + r.controller, Path: client.Path("apps/v1", r.namespace, "replicasets", r.controller),
		Into: &o,
	})
	if err != nil || o.Text("metadata", "uid") != r.ownerUID {
		return replicaSet{}, client.IgnoreNotFound(err)
	}
	set := replicaSet{ownerUID: ownerUID(o)}
	if set.template, err = templateDigest(o); err != nil {
		return set, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxReplicaSets {
		clear(s.known)
	}
	s.known[r.ownerUID] = set
	return set, nil
}

func (s *replicaSets) get(uid string) (replicaSet, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set, ok := s.known[uid]
	return set, ok
}

func (s *replicaSets) has(uid string) bool {
	_, ok := s.get(uid)
	return ok
}

func ownerUID(o sluice.Object) string {
	for _, owner := range o.List("metadata", "ownerReferences") {
		if owner["controller"] == true {
			return owner.Text("uid")
		}
	}
	return ""
}

// templateDigest is the same for a Deployment and for the ReplicaSet that was made from its template.
func templateDigest(o sluice.Object) ([sha256.Size]byte, error) {
	template, _ := o.Field("spec", "template").(map[string]any)
	t := sluice.Object(template).Clone()
	if labels, ok := t.Field("metadata", "labels").(map[string]any); ok {
		delete(labels, "pod-template-hash")
	}
	data, err := json.Marshal(t)
	return sha256.Sum256(data), err
}
