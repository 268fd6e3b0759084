package stork

// ModeAnnotation of a ClusterPair says how migrations over it end.
const ModeAnnotation = "sluice-e2e/mode"

// A Mode is a way for a migration to go.
type Mode string

const (
	// Good moves everything.
	Good Mode = "good"
	// VolumeFails ends as Final/Failed, after every volume has ended.
	VolumeFails Mode = "volume-fails"
	// ClaimFails ends as Final/PartialSuccess: the claim is not copied.
	ClaimFails Mode = "claim-fails"
	// StartFails stays in Volumes/Pending for ever, with an event now and then.
	StartFails Mode = "start-fails"
	// NeverBinds stays in Applications for ever.
	NeverBinds Mode = "never-binds"
	// NotReady has a pair whose storage does not answer: migrations stay in Volumes/Pending.
	NotReady Mode = "not-ready"
)
