// Command sluice delivers applications whose data matters. It is the command line: one file a command, which turns
// flags into a call of internal/service and shows the result with internal/present. Start at root.go for the commands,
// app.go for what they share, follow.go for how a deployment is watched.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() { os.Exit(execute(os.Args[1:])) }

// execute runs one command line and returns its exit status.
func execute(args []string) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go interrupt(ctx, cancel)
	a := newApp(os.Stdin, os.Stdout, os.Stderr)
	root := newRoot(a)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if errors.Is(err, syscall.EPIPE) {
		return exitOK // the reader of the output went away
	}
	a.explain(err)
	return exitStatus(err)
}

// sameInterrupt is how close two signals are that count as one: a terminal that ends a group of processes may signal
// each of them twice.
const sameInterrupt = time.Second

// interrupt stops everything cleanly at the first signal. A later signal ends the process at once: deployments can be
// resumed from the log.
func interrupt(ctx context.Context, cancel context.CancelFunc) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	select {
	case <-signals:
		cancel()
	case <-ctx.Done():
		return
	}
	for first := time.Now(); time.Since(first) < sameInterrupt; {
		<-signals
	}
	os.Exit(exitUnfinished)
}
