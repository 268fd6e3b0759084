package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/api"
	"github.com/sluice-cd/sluice/internal/present"
)

func newToken(a *app) *cobra.Command {
	cmd := only(remoteOnly, &cobra.Command{
		Use: "token", Short: "Make, list and delete tokens for programs that call a server",
		Example: "  sluice token make ci --role deployer --days 90\n  sluice token list\n  sluice token delete 5f2a91c0",
	})
	cmd.AddCommand(newTokenMake(a), newTokenList(a), newTokenDelete(a))
	return cmd
}

func newTokenMake(a *app) *cobra.Command {
	q := api.TokenRequest{}
	cmd := only(remoteOnly, &cobra.Command{
		Use: "make NAME", Short: "Make a token and print it",
		Long:    "Make prints the token, which is not shown again. Give it to the program in SLUICE_TOKEN.",
		Example: "  sluice token make ci --role deployer --days 90",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Name = args[0]
			return a.tokenMake(cmd.Context(), q)
		},
	})
	cmd.Flags().StringSliceVar(&q.Roles, "role", nil, "the role in which it acts (may be repeated)")
	cmd.Flags().IntVar(&q.Days, "days", 0, "how many days it is valid (default: for ever)")
	return cmd
}

func (a *app) tokenMake(ctx context.Context, q api.TokenRequest) error {
	if len(q.Roles) == 0 {
		return sluice.Errorf(sluice.Invalid, "a token acts in a role").WithHint("add --role, such as --role deployer")
	}
	made, err := a.remote.MakeToken(ctx, q)
	if err != nil {
		return err
	}
	if a.json() {
		return present.JSON(a.out, "Token", made)
	}
	a.note("this token is not shown again")
	return present.Printf(a.out, "%s\n", made.Text)
}

func newTokenList(a *app) *cobra.Command {
	return only(remoteOnly, &cobra.Command{
		Use: "list", Short: "List the tokens", Example: "  sluice token list --output json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := a.remote.Tokens(cmd.Context())
			if err != nil {
				return err
			}
			rows := [][]string{{"TOKEN", "NAME", "ROLES", "OWNER", "MADE", "EXPIRES"}}
			for _, t := range list {
				expires := "never"
				if !t.Expires.IsZero() {
					expires = present.Moment(t.Expires)
				}
				rows = append(rows, []string{t.ID, t.Name, strings.Join(t.Roles, ", "), t.Owner, present.Moment(t.MadeAt), expires})
			}
			return a.list("TokenList", list, "there are no tokens", rows)
		},
	})
}

type tokenDeletedOutput struct {
	Token string `json:"token"`
}

func newTokenDelete(a *app) *cobra.Command {
	return only(remoteOnly, &cobra.Command{
		Use: "delete TOKEN", Short: "Delete a token; who has it is refused from then on",
		Example: "  sluice token delete 5f2a91c0",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.remote.DeleteToken(cmd.Context(), args[0]); err != nil {
				return err
			}
			if a.json() {
				return present.JSON(a.out, "TokenDeleted", tokenDeletedOutput{args[0]})
			}
			return present.Printf(a.out, "%s is deleted\n", args[0])
		},
	})
}
