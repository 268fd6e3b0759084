package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/history"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

func newDoctor(a *app) *cobra.Command {
	d := &service.Doctor{}
	cmd := &cobra.Command{
		Use: "doctor", Short: "Report what is missing before something is deployed",
		Long: "Doctor examines everything that deployments from here rely on: sluice.yaml, whether each account answers\n" +
			"and grants the necessary rights, metric providers, secrets, the checkpoint repository, clocks, the\n" +
			"address for callbacks, and what the section server names: address, certificate, key, database, issuers\n" +
			"and roles. With a deploy file it checks the rights and secrets that this file needs, otherwise the\n" +
			"rights that every deployment into the namespace needs. It changes nothing. The exit status is 0, or\n" +
			"that of the first problem: 2 if something is written wrong or does not exist, 5 if something does not\n" +
			"answer, 6 if rights are missing.",
		Example: "  sluice doctor\n  sluice doctor -f deploy.yaml\n  sluice doctor --namespace production --output json",
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd.Context(), d) },
	}
	sourceFlags(cmd, &d.Source)
	cmd.Flags().StringVar(&d.Namespace, "namespace", "default", "the namespace to check rights in, without a deploy file")
	return cmd
}

type doctorOutput struct {
	Checks  []service.Check       `json:"checks"`
	Missing []sluice.MissingRight `json:"missingRights,omitempty"`
}

func (a *app) doctor(ctx context.Context, d *service.Doctor) (err error) {
	if a.remote != nil {
		return a.doctorRemote(ctx, d)
	}
	d.Verify(ctx, a.dir.Verify)
	if d.Config, err = a.configuration(d.Source.File); err != nil {
		d.Checks = append(d.Checks, service.Wrong("configuration", err))
	} else {
		w := bootstrap.NewWiring(a.dir, d.Config)
		defer func() { err = errors.Join(err, w.Close()) }()
		if store, err := a.dir.Read(ctx); err == nil {
			defer store.Close()
			d.History, d.Catalogue = history.NewIndex(store), store
		}
		d.Adapters, d.Receivers, d.ServerSite = w, w.CheckReceiver, w
		d.Examine(ctx)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := a.writeChecks(d); err != nil {
		return err
	}
	return problems(d.Checks)
}

// doctorRemote lets the server examine what it relies on.
func (a *app) doctorRemote(ctx context.Context, d *service.Doctor) (err error) {
	if d.Source.File == "" {
		d.Checks, err = a.remote.Accounts(ctx)
	} else {
		b, packed := a.pack(ctx, d.Source)
		if packed != nil {
			return packed
		}
		d.Checks, err = a.remote.Doctor(ctx, b)
	}
	if err != nil {
		return placed(d.Source, err)
	}
	if err := a.writeChecks(d); err != nil {
		return err
	}
	return problems(d.Checks)
}

func (a *app) writeChecks(d *service.Doctor) error {
	width := 0
	for i, c := range d.Checks {
		width = max(width, len(c.Name))
		if len(c.Findings) > 0 {
			present.Findings(a.err, c.Findings)
			d.Checks[i].Detail = present.Tally(c.Findings)
		}
	}
	if a.json() {
		return present.JSON(a.out, "Diagnosis", doctorOutput{d.Checks, d.Missing})
	}
	styles := map[string]present.Style{
		service.CheckOK: a.styles.Good, service.CheckWarning: a.styles.Busy, service.CheckWrong: a.styles.Bad,
	}
	for _, c := range d.Checks {
		state := styles[c.State].Render(fmt.Sprintf("%-7s", c.State))
		present.Printf(a.out, "%s  %-*s  %s\n", state, width, c.Name, c.Detail)
		if c.Hint != "" {
			present.Printf(a.out, "%*s  %s\n", 9+width, "", a.styles.Faint.Render("hint: "+c.Hint))
		}
	}
	needed, dispensable := service.SplitRights(d.Missing)
	return present.AllMissingRights(a.out, needed, dispensable)
}

// problems counts what is wrong. The first problem gives the code.
func problems(checks []service.Check) error {
	wrong := 0
	var first sluice.Code
	for _, c := range checks {
		if c.State != service.CheckWrong {
			continue
		}
		if wrong++; wrong == 1 {
			first = c.Code
		}
	}
	if wrong == 0 {
		return nil
	}
	return sluice.Errorf(first, "%d of %s found a problem", wrong, present.Plural(len(checks), "check"))
}
