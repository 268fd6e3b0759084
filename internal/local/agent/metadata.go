package agent

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/sluice-cd/sluice"
)

// goneField marks the last sight of an object that is deleted; it never leaves the agent.
const goneField = "\x00gone"

func timestamp() string { return time.Now().UTC().Format(time.RFC3339) }

func formatVersion(v int64) string { return strconv.FormatInt(v, 10) }

func parseVersion(o sluice.Object) int64 {
	v, err := strconv.ParseInt(o.Text("metadata", "resourceVersion"), 10, 64)
	if err != nil {
		return 0
	}
	return v
}

// newUID returns a random UUID of version 4.
func newUID() string {
	var b [16]byte
	rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// suffix returns five random characters that cannot form a word.
func suffix() string {
	const letters = "bcdfghjklmnpqrstvwxz2456789"
	var b [5]byte
	rand.Read(b[:])
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return string(b[:])
}

// hashOf returns the hash of a value's canonical JSON.
func hashOf(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	h := fnv.New64a()
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil))[:10], nil
}

// normalise removes the fields that the account sets itself, so that an object that was read can be applied again. It
// fills in the defaults that others read.
func normalise(o sluice.Object) (sluice.Object, error) {
	plain, err := plainOf(o)
	if err != nil {
		return nil, sluice.Errorf(sluice.Invalid, "%s cannot be written as JSON: %w", o.Ref(), err)
	}
	m, ok := plain.(map[string]any)
	if !ok {
		return nil, sluice.Errorf(sluice.Invalid, "the object is empty")
	}
	n := sluice.Object(m)
	delete(n, "status")
	if meta, ok := n["metadata"].(map[string]any); ok {
		for _, f := range []string{"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields",
			"deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"} {
			delete(meta, f)
		}
	}
	switch n.Text("kind") {
	case "PersistentVolumeClaim": // which generation it has is said by Use
		if spec, ok := n["spec"].(map[string]any); ok {
			delete(spec, "volumeName")
		}
	case "Service":
		if n.Field("spec", "type") == nil {
			n.Set("ClusterIP", "spec", "type")
		}
	case "Namespace":
		delete(n["metadata"].(map[string]any), "namespace")
	case "Deployment", "StatefulSet":
		if n.Field("spec", "replicas") == nil {
			n.Set(int64(1), "spec", "replicas")
		}
	}
	return n, nil
}
