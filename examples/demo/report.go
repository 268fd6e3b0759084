package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"time"
)

// A report is the result of the demo.
type report struct {
	Acts []*result `json:"acts"`
}

// A result has the measurements of one act. Values that an act does not measure are absent.
type result struct {
	Name            string  `json:"name"`
	Passed          bool    `json:"passed"`
	DurationSeconds float64 `json:"durationSeconds"`
	Fault           string  `json:"fault,omitempty"`
	Outcome         string  `json:"outcome,omitempty"` // of the deployment

	LostKeysReported  []string `json:"lostKeysReported,omitempty"`
	LostKeysActual    []string `json:"lostKeysActual,omitempty"`
	ProductionChanged *bool    `json:"productionChanged,omitempty"`

	RequestsTotal        *int     `json:"requestsTotal,omitempty"`
	RequestsFailed       *int     `json:"requestsFailed,omitempty"`
	SlowestAnswerSeconds *float64 `json:"slowestAnswerSeconds,omitempty"`
	OrdersPromised       *int     `json:"ordersPromised,omitempty"`
	OrdersFound          *int     `json:"ordersFound,omitempty"`

	RollbackSeconds *float64 `json:"rollbackSeconds,omitempty"`

	OrdersAtCheckpoint *int `json:"ordersAtCheckpoint,omitempty"`
	OrdersDamaged      *int `json:"ordersDamaged,omitempty"`
	OrdersRestored     *int `json:"ordersRestored,omitempty"`
	OrdersSavedAside   *int `json:"ordersSavedAside,omitempty"`

	Kills           *int `json:"kills,omitempty"`
	EffectsRepeated *int `json:"effectsRepeated,omitempty"`
}

func (r report) write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o600)
}

// print shows the acts as a table.
func (r report) print() {
	say("")
	say("%-22s %-7s %8s  %s", "ACT", "PASSED", "SECONDS", "WHAT WAS MEASURED")
	for _, a := range r.Acts {
		passed := "yes"
		if !a.Passed {
			passed = "NO"
		}
		say("%-22s %-7s %8.1f  %s", a.Name, passed, a.DurationSeconds, a.measured())
	}
	say("")
}

func (r *result) measured() string {
	switch r.Name {
	case "caught-in-staging":
		return fmt.Sprintf("%d lost orders named, %d really lost; production changed: %s",
			len(r.LostKeysReported), len(r.LostKeysActual), shown(r.ProductionChanged))
	case "all-the-way":
		return fmt.Sprintf("%s requests, %s failed; %s orders promised, %s found",
			shown(r.RequestsTotal), shown(r.RequestsFailed), shown(r.OrdersPromised), shown(r.OrdersFound))
	case "caught-in-production":
		return fmt.Sprintf("canary gone %s s after its first error; %s of %s requests failed",
			shown(r.RollbackSeconds), shown(r.RequestsFailed), shown(r.RequestsTotal))
	case "put-back":
		return fmt.Sprintf("%s orders at the checkpoint, %s damaged, %s restored; %s written since are kept aside",
			shown(r.OrdersAtCheckpoint), shown(r.OrdersDamaged), shown(r.OrdersRestored), shown(r.OrdersSavedAside))
	case "killed":
		return fmt.Sprintf("killed %s times; %s effects repeated; %s of %s requests failed",
			shown(r.Kills), shown(r.EffectsRepeated), shown(r.RequestsFailed), shown(r.RequestsTotal))
	case "gone-back":
		return fmt.Sprintf("release 2.3 gone %s s after the command; %s of %s requests failed; then %s of %s orders put back",
			shown(r.RollbackSeconds), shown(r.RequestsFailed), shown(r.RequestsTotal),
			shown(r.OrdersRestored), shown(r.OrdersAtCheckpoint))
	}
	return ""
}

// shown returns a figure, or a question mark if the act did not get so far.
func shown[T any](v *T) string {
	if v == nil {
		return "?"
	}
	return fmt.Sprint(*v)
}

// seconds rounds a duration to hundredths of a second.
func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*100) / 100 }

// say prints one line for the person at the terminal.
func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }
