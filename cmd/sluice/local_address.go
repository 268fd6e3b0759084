package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/present"
)

type addressOutput struct {
	Address string `json:"address"`
}

func newLocalAddress(a *app) *cobra.Command {
	account := ""
	cmd := &cobra.Command{
		Use: "address NAMESPACE SERVICE PORT", Short: "Print where a Service answers on this machine",
		Example: "  sluice local address production shop 8080\n  curl http://$(sluice local address production shop 8080)/",
		Args:    cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			port, err := strconv.Atoi(args[2])
			if err != nil {
				return sluice.Errorf(sluice.Invalid, "%q is not a port", args[2]).WithHint("write the number that the Service declares")
			}
			return a.withAccount(cmd.Context(), account, func(on sluice.Account) error {
				address, err := on.Address(cmd.Context(), args[0], args[1], port)
				if err != nil {
					return err
				}
				if a.json() {
					return present.JSON(a.out, addressOutput{address})
				}
				_, err = fmt.Fprintln(a.out, address)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&account, "account", "local", "which account")
	return cmd
}
