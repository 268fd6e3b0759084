package remote

import (
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/fingerprint"
)

// What a Job offers.
const (
	pathOpen        = "/database/open"
	pathDescribe    = "/database/describe"
	pathFingerprint = "/database/fingerprint"
	pathHashes      = "/database/hashes"
	pathOutlines    = "/database/outlines"
	pathNames       = "/database/names"
	pathMask        = "/database/mask"
	pathLockable    = "/database/lockable"
	pathLock        = "/database/lock"
	pathUnlock      = "/database/unlock"
)

// A target is a database, as a view of which Ignored is left out.
type target struct {
	Engine    string   `json:"engine"`
	URI       string   `json:"uri"`
	Namespace string   `json:"namespace"`
	Ignored   []string `json:"ignored,omitempty"`
}

func (t target) at() target { return t }

// What the calls bring besides the database.
type (
	fingerprintCall struct {
		target
		Invariants []sluice.Invariant `json:"invariants,omitempty"`
	}
	hashesCall struct {
		target
		Selection fingerprint.Selection `json:"selection"`
	}
	outlinesCall struct {
		target
		Documents fingerprint.Documents `json:"documents"`
		Keys      [][]byte              `json:"keys"`
	}
	namesCall struct {
		target
		Keys [][]byte `json:"keys"`
	}
	maskCall struct {
		target
		Mask sluice.Mask `json:"mask"`
		Key  []byte      `json:"key"`
	}
	lockCall struct {
		target
		Lease time.Duration `json:"lease"`
	}
)

// What they return.
type (
	done           struct{}
	outlinesResult struct {
		Outlines []*fingerprint.Outline `json:"outlines"`
	}
	namesResult struct {
		Names []string `json:"names"`
	}
	unlockResult struct {
		Held bool `json:"held"` // by a call that was open
	}
	maskResult struct {
		Documents int64 `json:"documents"`
	}
)

// rawKeys are keys for JSON, which has no strings of bytes; textKeys is the opposite.
func rawKeys(keys []string) [][]byte {
	raw := make([][]byte, len(keys))
	for i, key := range keys {
		raw[i] = []byte(key)
	}
	return raw
}

func textKeys(raw [][]byte) []string {
	keys := make([]string, len(raw))
	for i, key := range raw {
		keys[i] = string(key)
	}
	return keys
}
