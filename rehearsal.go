package sluice

// A Rehearsal says that a plan made for other accounts is carried out on this machine alone. It is part of the
// plan, so that whoever goes on with the deployment rehearses it too.
type Rehearsal struct {
	Webhooks map[string]string   `json:"webhooks,omitempty"` // by name: RehearseFail or RehearseTimeout; all others succeed
	Metrics  map[string]*float64 `json:"metrics,omitempty"`  // by the query's name; nil: there is no data
	Approve  bool                `json:"approve,omitempty"`  // somebody approves whatever waits for a person
	Images   map[string][]string `json:"images,omitempty"`   // by account: those that a stand-in runs for
	Services map[string][]Ref    `json:"services,omitempty"` // by account: those that the file uses and does not bring
	Stands   []Rehearsed         `json:"stands,omitempty"`   // what is not done for real
	Real     []Real              `json:"real,omitempty"`     // what is
}

// How a webhook or a Job can end in a rehearsal when it does not succeed.
const (
	RehearseFail    = "fail"
	RehearseTimeout = "timeout"
)

// A Rehearsed is something that a rehearsal does not do for real, and what it does instead.
type Rehearsed struct {
	What    string   `json:"what"`
	Instead string   `json:"instead"`
	Steps   []StepID `json:"steps,omitempty"` // those it matters to; empty: all
}

// A Real is something that a rehearsal does for real.
type Real struct {
	What  string   `json:"what"`
	Steps []StepID `json:"steps,omitempty"` // those it matters to; empty: all
}
