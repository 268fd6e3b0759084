package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/present"
)

func newDoctor(a *app) *cobra.Command {
	d := &doctor{app: a}
	cmd := &cobra.Command{
		Use: "doctor", Short: "Say what is missing before something is deployed",
		Long: "Doctor looks at everything that deployments from here rely on: sluice.yaml, whether each account answers and grants the rights\n" +
			"that are needed, metric providers, secrets, the checkpoint repository, clocks, and how callbacks come back. With a deploy file\n" +
			"it looks for the rights and secrets that this file needs, without one for those that every deployment into the namespace\n" +
			"needs. It changes nothing. The exit status is 0, or that of the first thing that is wrong: 2 for what is written wrong or\n" +
			"absent, 5 for what does not answer, 6 for missing rights.",
		Example: "  sluice doctor\n  sluice doctor -f deploy.yaml\n  sluice doctor --namespace production --output json",
		RunE:    func(cmd *cobra.Command, _ []string) error { return d.run(cmd.Context()) },
	}
	d.source.flags(cmd)
	cmd.Flags().StringVar(&d.namespace, "namespace", "default", "where to look for rights, without a deploy file")
	return cmd
}

// checkPatience bounds how long one thing may take to answer.
const checkPatience = 15 * time.Second

// The states of a check.
const (
	checkOK      = "ok"
	checkWarning = "warning"
	checkWrong   = "wrong"
)

// A checkResult is one thing that doctor looked at.
type checkResult struct {
	Name   string      `json:"name"`
	State  string      `json:"state"` // checkOK, checkWarning or checkWrong
	Detail string      `json:"detail"`
	Hint   string      `json:"hint,omitempty"`
	Code   sluice.Code `json:"code,omitempty"` // where it is wrong
}

// A doctor collects what it finds.
type doctor struct {
	app       *app
	source    source
	namespace string

	config  *config.Config
	dir     bootstrap.StateDir
	plan    *sluice.Plan // nil without a deploy file
	wiring  *bootstrap.Wiring
	results []checkResult
	missing []sluice.MissingRight
}

type doctorOutput struct {
	Checks  []checkResult         `json:"checks"`
	Missing []sluice.MissingRight `json:"missingRights,omitempty"`
}

func (d *doctor) run(ctx context.Context) (err error) {
	if d.dir, err = d.app.stateDir(); err != nil {
		return err
	}
	if d.readConfig() && d.readFile(ctx) {
		d.wiring = bootstrap.NewWiring(d.dir, d.config)
		defer func() { err = errors.Join(err, d.wiring.Close()) }()
		d.accounts(ctx)
		d.metrics(ctx)
		d.secrets()
		d.repository()
		d.callbacks(ctx)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := d.write(); err != nil {
		return err
	}
	return d.verdict()
}

func (d *doctor) ok(name, format string, args ...any) {
	d.results = append(d.results, checkResult{Name: name, State: checkOK, Detail: fmt.Sprintf(format, args...)})
}

func (d *doctor) warn(name, hint, format string, args ...any) {
	d.results = append(d.results, checkResult{Name: name, State: checkWarning, Detail: fmt.Sprintf(format, args...), Hint: hint})
}

func (d *doctor) wrong(name string, err error) {
	r := checkResult{Name: name, State: checkWrong, Detail: err.Error(), Hint: sluice.ErrorHint(err), Code: sluice.ErrorCode(err)}
	if ds, ok := errors.AsType[sluice.Diagnostics](err); ok {
		present.Findings(d.app.err, ds)
		r.Detail = present.Tally(ds)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		r.Detail, r.Code = "no answer within "+checkPatience.String(), sluice.Unavailable
	}
	d.results = append(d.results, r)
}

func (d *doctor) write() error {
	if d.app.json() {
		return present.JSON(d.app.out, doctorOutput{d.results, d.missing})
	}
	styles := map[string]lipgloss.Style{checkOK: d.app.styles.Good, checkWarning: d.app.styles.Busy, checkWrong: d.app.styles.Bad}
	width := 0
	for _, r := range d.results {
		width = max(width, len(r.Name))
	}
	for _, r := range d.results {
		fmt.Fprintf(d.app.out, "%s  %-*s  %s\n", styles[r.State].Render(fmt.Sprintf("%-7s", r.State)), width, r.Name, r.Detail)
		if r.Hint != "" {
			fmt.Fprintf(d.app.out, "%*s  %s\n", 9+width, "", d.app.styles.Faint.Render("hint: "+r.Hint))
		}
	}
	if len(d.missing) == 0 {
		return nil
	}
	fmt.Fprintln(d.app.out)
	return present.MissingRights(d.app.out, d.missing)
}

// verdict is the first thing that is wrong, told as the whole.
func (d *doctor) verdict() error {
	wrong := 0
	var first sluice.Code
	for _, r := range d.results {
		if r.State == checkWrong {
			wrong++
			if first == "" {
				first = r.Code
			}
		}
	}
	if wrong == 0 {
		return nil
	}
	return sluice.Errorf(first, "%d of %s found something wrong", wrong, present.Plural(len(d.results), "check"))
}
