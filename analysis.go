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

// A Query asks a metric provider for one value and says which values are good. At least one limit is set; a value
// equal to a limit is good.
type Query struct {
	Pos      Position `json:"-"`
	Name     string   `json:"name"`
	Template string   `json:"template"`
	Lower    *float64 `json:"lower,omitempty"`
	Upper    *float64 `json:"upper,omitempty"`
	Provider string   `json:"provider,omitempty"` // "" in a Spec means the default provider; always set in a plan
}

// Analysis judges queries over Runs intervals.
type Analysis struct {
	Queries         []string      `json:"queries"`
	Interval        time.Duration `json:"interval"`
	Runs            int           `json:"runs"`
	Lookback        string        `json:"lookback,omitempty"`        // growing or sliding (default)
	RollBackMode    string        `json:"rollBackMode,omitempty"`    // automatic (default) or manual
	RollForwardMode string        `json:"rollForwardMode,omitempty"` // automatic (default) or manual
	OnUnknown       string        `json:"onUnknown,omitempty"`       // wait (default), rollBack or rollForward
	UnknownBudget   time.Duration `json:"unknownBudget,omitempty"`   // default 10 minutes

	AbortOnFailedJudgment bool              `json:"abortOnFailedJudgment,omitempty"` // the first bad sample ends it
	Provider              string            `json:"provider,omitempty"`
	Context               map[string]string `json:"context,omitempty"`
	Resolved              []Query           `json:"resolved,omitempty"` // set in a plan: the queries that Queries names
}

// A Verdict is the result of a measurement or of a judgment.
type Verdict string

// The verdicts. Unknown means that there is no answer: no data, not a number, or the provider does not answer.
const (
	Good         Verdict = "good"
	Bad          Verdict = "bad"
	Unknown      Verdict = "unknown"
	Late         Verdict = "late" // the answer came after the end of its interval
	Inconclusive Verdict = "inconclusive"
)

// A Sample is one answer of a metric provider over an interval, with its verdict.
type Sample struct {
	Query   string    `json:"query"`
	Start   time.Time `json:"start"`
	End     time.Time `json:"end"`
	Value   *float64  `json:"value,omitempty"` // nil if there was none
	Verdict Verdict   `json:"verdict"`
	Reason  string    `json:"reason,omitempty"` // why it is not good
}

// A Judgment is the conclusion of an analysis with its evidence. It decides nothing.
type Judgment struct {
	Verdict Verdict  `json:"verdict"`
	Reason  string   `json:"reason"`
	Samples []Sample `json:"samples"`
}

// Metrics answers queries. Measure returns the single value of query at the instant at. NotFound means no data, Invalid
// a query that is malformed or whose value is not one number, and Unavailable everything else: the provider is away,
// busy or refuses the credentials.
type Metrics interface {
	Measure(ctx context.Context, query string, at time.Time) (float64, error)
}
