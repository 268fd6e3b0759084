package sluice

// A Rehearsal says that a plan for other accounts runs on this machine only. It is part of the plan, so a process
// that resumes the deployment also rehearses it.
type Rehearsal struct {
	Webhooks map[string]string   `json:"webhooks,omitempty"` // by name: RehearseFail or RehearseTimeout; others succeed
	Metrics  map[string]*float64 `json:"metrics,omitempty"`  // by the query's name; nil means no data
	Approve  bool                `json:"approve,omitempty"`  // every step that waits for a person is approved
	Images   map[string][]string `json:"images,omitempty"`   // by account: the images that a stand-in runs for
	Services map[string][]Ref    `json:"services,omitempty"` // by account: used by the file, in no manifest
	Stands   []Rehearsed         `json:"stands,omitempty"`   // what is simulated
	Real     []Real              `json:"real,omitempty"`     // what is done for real
}

// How a webhook or a Job can end in a rehearsal if it does not succeed.
const (
	RehearseFail    = "fail"
	RehearseTimeout = "timeout"
)

// A Rehearsed is something that a rehearsal does not do for real, and what it does instead.
type Rehearsed struct {
	What    string   `json:"what"`
	Instead string   `json:"instead"`
	Steps   []StepID `json:"steps,omitempty"` // the steps that it affects; empty means all
}

// A Real is something that a rehearsal does for real.
type Real struct {
	What  string   `json:"what"`
	Steps []StepID `json:"steps,omitempty"` // the steps that it affects; empty means all
}
