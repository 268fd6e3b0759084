package sluice

import (
	"context"
	"time"
)

// AnalysisConfig is the file's analysis block.
type AnalysisConfig struct {
	DefaultProvider string
	Queries         map[string]Query
}

// A Query asks a metric provider for one value and says which values are good. At least one limit is set;
// both are inclusive.
type Query struct {
	Pos      Position `json:"-"`
	Name     string   `json:"name"`
	Template string   `json:"template"`
	Lower    *float64 `json:"lower,omitempty"`
	Upper    *float64 `json:"upper,omitempty"`
	Provider string   `json:"provider,omitempty"` // "" in a Spec: the default one; always set in a plan
}

// Analysis judges queries over Runs intervals.
type Analysis struct {
	Queries               []string          `json:"queries"`
	Interval              time.Duration     `json:"interval"`
	Runs                  int               `json:"runs"`
	Lookback              string            `json:"lookback,omitempty"`              // growing or sliding (default)
	RollBackMode          string            `json:"rollBackMode,omitempty"`          // automatic (default) or manual
	RollForwardMode       string            `json:"rollForwardMode,omitempty"`       // automatic (default) or manual
	OnUnknown             string            `json:"onUnknown,omitempty"`             // wait (default), rollBack or rollForward
	UnknownBudget         time.Duration     `json:"unknownBudget,omitempty"`         // default 10 minutes
	AbortOnFailedJudgment bool              `json:"abortOnFailedJudgment,omitempty"` // the first bad sample ends it
	Provider              string            `json:"provider,omitempty"`
	Context               map[string]string `json:"context,omitempty"`
	Resolved              []Query           `json:"resolved,omitempty"` // set in a plan: what Queries stood for
}

// A Verdict is the outcome of a measurement.
type Verdict string

// The verdicts. Unknown means that nothing can be said: no data, not a number, the provider is away.
const (
	Good         Verdict = "good"
	Bad          Verdict = "bad"
	Unknown      Verdict = "unknown"
	Late         Verdict = "late" // the answer came after its interval was over
	Inconclusive Verdict = "inconclusive"
)

// A Sample is one answer of a metric provider over an interval, with its verdict.
type Sample struct {
	Query   string    `json:"query"`
	Start   time.Time `json:"start"`
	End     time.Time `json:"end"`
	Value   *float64  `json:"value,omitempty"` // nil where there was none
	Verdict Verdict   `json:"verdict"`
	Reason  string    `json:"reason,omitempty"` // why it is not good
}

// A Judgment is what an analysis concludes, with its evidence. It decides nothing.
type Judgment struct {
	Verdict Verdict  `json:"verdict"`
	Reason  string   `json:"reason"`
	Samples []Sample `json:"samples"`
}

// Metrics answers queries. Measure returns the single value of query at the instant at; NotFound when there
// is no data, Invalid when the query is refused or has more than one value, Unavailable when the provider is away.
type Metrics interface {
	Measure(ctx context.Context, query string, at time.Time) (float64, error)
}
