// Command world provides the surroundings of the application in both clusters, one
// role a pod: the storage with its migrations, the receiver of webhooks, and the
// admission that lets pods run images that are in no registry.
//
//	world portworx -storage DIR [-destination DIR] [-tick 1s]
//	world cmdhook
//	world admission -cert FILE -key FILE
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/sluice-cd/sluice/e2e/seeddemo/admission"
	"github.com/sluice-cd/sluice/e2e/seeddemo/cmdhook"
	"github.com/sluice-cd/sluice/e2e/seeddemo/stork"
)

var roles = map[string]func(context.Context, *flag.FlagSet, []string) error{
	"portworx": portworx, "cmdhook": receive, "admission": admit,
}

func main() {
	if len(os.Args) < 2 || roles[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "world: the first argument is portworx, cmdhook or admission")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	if err := roles[os.Args[1]](ctx, flags, os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "world:", err)
		os.Exit(1)
	}
}

func portworx(ctx context.Context, flags *flag.FlagSet, args []string) error {
	storage := flags.String("storage", "", "`directory` of this cluster's volumes")
	destination := flags.String("destination", "",
		"`directory` of the other cluster's volumes; without one nothing migrates")
	tick := flags.Duration("tick", time.Second, "what stands for 10 seconds of the real Stork")
	if err := flags.Parse(args); err != nil {
		return err
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	config.QPS = -1 // this polls; the real controllers watch
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	if err := stork.Register(ctx, client); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return (&stork.Storage{Client: client, Dir: *storage}).Run(ctx) })
	if *destination != "" {
		group.Go(func() error {
			return (&stork.Controller{Client: client, Tick: *tick, VolumeDir: *destination}).Run(ctx)
		})
	}
	return group.Wait()
}

func receive(ctx context.Context, flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	return serve(ctx, &http.Server{Addr: ":8080", Handler: cmdhook.New(ctx)},
		func(s *http.Server) error { return s.ListenAndServe() })
}

func admit(ctx context.Context, flags *flag.FlagSet, args []string) error {
	cert, key := flags.String("cert", "", "certificate `file`"), flags.String("key", "", "key `file`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return serve(ctx, &http.Server{Addr: ":8443", Handler: admission.New()},
		func(s *http.Server) error { return s.ListenAndServeTLS(*cert, *key) })
}

func serve(ctx context.Context, server *http.Server, listen func(*http.Server) error) error {
	server.ReadHeaderTimeout = 10 * time.Second
	context.AfterFunc(ctx, func() { _ = server.Close() })
	err := listen(server)
	if ctx.Err() != nil {
		return nil
	}
	return err
}
