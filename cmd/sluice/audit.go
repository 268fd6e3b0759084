package main

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/internal/present"
)

func newAudit(a *app) *cobra.Command {
	application, most := "", 0
	cmd := only(remoteOnly, &cobra.Command{
		Use: "audit", Short: "List who was allowed or forbidden what on a server",
		Long: "Audit lists the decisions of the server, the newest first: who asked for what, from where, with which\n" +
			"identity, why, and whether it was allowed. Logins and logouts in browsers and refused tokens are there too.",
		Example: "  sluice audit\n  sluice audit --application shop --limit 1000 --output json",
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.audit(cmd.Context(), application, most) },
	})
	cmd.Flags().StringVarP(&application, "application", "n", "", "only entries of this application")
	cmd.Flags().IntVar(&most, "limit", 50, "at most this many entries")
	return cmd
}

func (a *app) audit(ctx context.Context, application string, most int) error {
	list, err := a.remote.Audit(ctx, application, 0, most)
	if err != nil {
		return err
	}
	rows := [][]string{{"TIME", "WHO", "FROM", "VERB", "ALLOWED", "APPLICATION", "TARGET", "DEPLOYMENT", "REASON"}}
	for _, e := range list {
		allowed := "yes"
		if !e.Allowed {
			allowed = "no"
		}
		rows = append(rows, []string{
			present.Moment(e.At), cmp.Or(e.By.Name, "-"), cmp.Or(e.By.From, "-"), e.Verb, allowed, cmp.Or(e.Application, "-"),
			cmp.Or(string(e.Step), e.Target, "-"), cmp.Or(string(e.Deployment), "-"), cmp.Or(e.Reason, "-"),
		})
	}
	return a.list("AuditList", list, "the audit is empty", rows)
}
