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
		return exitOK // whoever read the output has seen enough
	}
	a.explain(err)
	return exitStatus(err)
}

// sameInterrupt is how close two signals are that mean one: who ends a group of processes often also signals
// each of them.
const sameInterrupt = time.Second

// interrupt asks everything to stop at the first signal. A later one ends the process at once: what runs is
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
