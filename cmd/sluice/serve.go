package main

import (
	"context"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/present"
)

func newServe(a *app) *cobra.Command {
	o := bootstrap.Serving{}
	cmd := &cobra.Command{
		Use: "serve", Short: "Run a server that other people and programs deploy through",
		Long: "Serve runs the deployments of the state directory and answers callers: the API at /api/v1, which\n" +
			"sluice --server uses, and callbacks of webhooks. sluice.yaml says where it listens and who may do what;\n" +
			"without that it listens on this machine only, and everybody on it may do everything. It continues what\n" +
			"was interrupted, and stops cleanly at Ctrl-C or SIGTERM.",
		Example: "  sluice serve\n  sluice serve --listen 127.0.0.1:9000\n" +
			"  SLUICE_SERVER=http://127.0.0.1:8080 sluice status",
		RunE: func(cmd *cobra.Command, _ []string) error { return a.serve(cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.Listen, "listen", "",
		"host:port to listen at (default: that of sluice.yaml, or "+config.DefaultListen+")")
	return cmd
}

func (a *app) serve(ctx context.Context, o bootstrap.Serving) error {
	c, err := a.configuration("")
	if err != nil {
		return err
	}
	o.Listening = func(address, at string) {
		if a.json() {
			_ = present.JSON(a.out, "Serving", servingOutput{address, at}) // a reader that went away wants no address
			return
		}
		present.Printf(a.out, "serving at %s, listening at %s\n", address, at)
	}
	a.follows.Store(true)
	i := bootstrap.Instance{Dir: a.dir, Config: c, Log: a.err, Note: a.note}
	if o.JSON = !term.IsTerminal(int(a.stderr.Fd())); o.JSON {
		i.Log = a.redactor.JSONOutput(a.stderr)
	}
	return bootstrap.Serve(ctx, i, o)
}

type servingOutput struct {
	Address string `json:"address"`
	Listens string `json:"listens"`
}
