// Command sluice delivers applications whose data matters. It is the command line and the wiring: one file a
// command, and wiring.go alone knows every adapter. Start at root.go for the commands, session.go for how a
// command reaches the engine, follow.go for how a deployment is watched.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(execute(os.Args[1:])) }

// execute runs one command line and returns its exit status.
func execute(args []string) int {
	// A second signal ends the process at once: what runs is resumed from the log.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	defer stop()
	a := newApp(os.Stdin, os.Stdout, os.Stderr)
	root := newRoot(a)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if errors.Is(err, syscall.EPIPE) {
		return exitOK // whoever read the output has seen enough
	}
	a.explain(err)
	return exitStatus(err)
}
