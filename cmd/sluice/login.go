package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/login"
	"github.com/sluice-cd/sluice/internal/present"
)

func newLogin(a *app) *cobra.Command {
	return only(hereOnly, &cobra.Command{
		Use: "login [SERVER]", Short: "Prove to a server who you are",
		Long: "Login shows a code to type at the issuer of the server's people, waits until it was typed, and keeps the\n" +
			"login for later commands. Programs need no login: they have a token in SLUICE_TOKEN, or one of the CI\n" +
			"system that they run in.",
		Example: "  sluice login https://sluice.example.com\n  SLUICE_SERVER=https://sluice.example.com sluice login",
		Args:    cobra.MaximumNArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.login(cmd.Context(), first(args)) },
	})
}

type loginOutput struct {
	Server string       `json:"server"`
	As     sluice.Actor `json:"as"`
}

type logoutOutput struct {
	Server string `json:"server"`
}

// serverOf returns the server that the argument or --server names.
func (a *app) serverOf(arg string) (string, error) {
	if arg != "" {
		return arg, nil
	}
	if a.server != "" {
		return a.server, nil
	}
	return "", sluice.Errorf(sluice.Invalid, "no server is named").
		WithHint("name it, such as https://sluice.example.com, or set SLUICE_SERVER")
}

func (a *app) login(ctx context.Context, arg string) error {
	server, err := a.serverOf(arg)
	if err != nil {
		return err
	}
	credentials, err := bootstrap.Credentials(a.redactor)
	if err != nil {
		return err
	}
	err = credentials.Login(ctx, server, func(p login.Prompt) {
		present.Printf(a.err, "open %s and type the code %s\n", p.URL, p.Code)
		if p.WithURL != "" {
			present.Printf(a.err, "or open %s\n", p.WithURL)
		}
	})
	if err != nil {
		return err
	}
	client, err := bootstrap.Connect(server, credentials)
	if err != nil {
		return err
	}
	defer client.Close()
	who, err := client.Caller(ctx)
	if err != nil {
		return err
	}
	if a.json() {
		return present.JSON(a.out, "Login", loginOutput{server, who})
	}
	return present.Printf(a.out, "logged in to %s as %s\n", server, who.Name)
}

func newLogout(a *app) *cobra.Command {
	return only(hereOnly, &cobra.Command{
		Use: "logout [SERVER]", Short: "Forget the login to a server",
		Example: "  sluice logout https://sluice.example.com",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			server, err := a.serverOf(first(args))
			if err != nil {
				return err
			}
			credentials, err := bootstrap.Credentials(a.redactor)
			if err != nil {
				return err
			}
			if err := credentials.Logout(cmd.Context(), server); err != nil {
				return err
			}
			if a.json() {
				return present.JSON(a.out, "Logout", logoutOutput{server})
			}
			return present.Printf(a.out, "logged out of %s\n", server)
		},
	})
}
