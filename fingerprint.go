package sluice

import "time"

// A Fingerprint describes the whole content of a dataset. Two fingerprints can be compared without the data.
type Fingerprint struct {
	Engine      string                  `json:"engine"`
	Version     string                  `json:"version"`          // of the server
	Format      string                  `json:"format,omitempty"` // of its data files; "" if not known
	Others      []string                `json:"others,omitempty"` // databases on the same server, which were not read
	TakenAt     time.Time               `json:"takenAt"`
	Took        time.Duration           `json:"took"`
	Collections []CollectionFingerprint `json:"collections"`       // by name
	Skipped     []string                `json:"skipped,omitempty"` // views and the like, which have no data of their own
	Invariants  []InvariantValue        `json:"invariants,omitempty"`
}

// A CollectionFingerprint describes one collection or table.
type CollectionFingerprint struct {
	Name     string            `json:"name"`
	Count    int64             `json:"count"`
	Bytes    int64             `json:"bytes"`
	Digest   Digest            `json:"digest"`           // of all documents
	Segments []Digest          `json:"segments"`         // by the hash of the key; their number is a power of two
	Indexes  map[string]string `json:"indexes"`          // name to canonical definition
	Schema   map[string]string `json:"schema,omitempty"` // field path to its types
}

// A Digest summarises a set of documents in any order: their number and two independent mixes of their hashes.
// Equal sets have equal digests. Xor alone is not enough, because equal documents cancel each other.
type Digest struct {
	Count int64  `json:"n"`
	Xor   uint64 `json:"x,string"`
	Sum   uint64 `json:"s,string"`
}

// An InvariantValue is the measured figure of an invariant.
type InvariantValue struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

// A Comparison lists the differences between two fingerprints. Empty means equal.
type Comparison struct {
	Collections []CollectionComparison `json:"collections,omitempty"`
}

// A CollectionComparison lists the differences in one collection. The lists may be shortened; the counts are exact.
type CollectionComparison struct {
	Name           string       `json:"name"`
	Missing        int64        `json:"missing"`
	Added          int64        `json:"added"`
	Changed        int64        `json:"changed"`
	MissingKeys    []string     `json:"missingKeys,omitempty"` // as the engine writes them, in canonical order
	AddedKeys      []string     `json:"addedKeys,omitempty"`
	ChangedKeys    []ChangedKey `json:"changedKeys,omitempty"`
	MissingIndexes []string     `json:"missingIndexes,omitempty"`
	AddedIndexes   []string     `json:"addedIndexes,omitempty"`
	ChangedIndexes []string     `json:"changedIndexes,omitempty"`
}

// A ChangedKey is a document that has changed.
type ChangedKey struct {
	Key    string   `json:"key"`
	Fields []string `json:"fields,omitempty"` // paths that differ, sorted; "(order)" if only the order of fields differs
}

// A Verification is the result of comparing a dataset with its baseline, with the evidence. It decides nothing.
type Verification struct {
	Dataset    string              `json:"dataset"`
	Passed     bool                `json:"passed"`
	Reason     string              `json:"reason"`
	Documents  int64               `json:"documents"`
	Comparison Comparison          `json:"comparison"`
	Invariants []InvariantJudgment `json:"invariants,omitempty"`
}

// An InvariantJudgment is one invariant's figure beside its baseline.
type InvariantJudgment struct {
	Name     string  `json:"name"`
	Passed   bool    `json:"passed"`
	Value    float64 `json:"value"`
	Baseline float64 `json:"baseline"`
	Reason   string  `json:"reason,omitempty"`
}
