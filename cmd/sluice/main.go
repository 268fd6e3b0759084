// Command sluice delivers applications whose data matters. It is the command line: one file a command, which turns
// flags into a call of internal/service and shows the result with internal/present. Start at root.go for the commands,
// app.go for what they share, follow.go for how a deployment is watched.
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/present"
)

func main() {
	bootstrap.SaveMemory()
	os.Exit(execute(os.Args[1:]))
}

// execute runs one command line and returns its exit status.
func execute(args []string) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a := newApp(os.Stdin, os.Stdout, os.Stderr)
	log.SetOutput(present.Escaped(a.err)) // net/http repeats what servers send
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM) // before the command begins
	go a.interrupt(ctx, cancel, signals)
	root := newRoot(a)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if errors.Is(err, syscall.EPIPE) {
		return exitOK // the reader of the output went away
	}
	if ctx.Err() != nil {
		err = a.interrupted(err)
	}
	a.explain(err)
	return exitStatus(err)
}

// sameInterrupt is how close two signals are that count as one: a terminal that ends a group of processes may signal
// each of them twice.
const sameInterrupt = time.Second

// interruptPatience is how long a command may take to notice that it was interrupted, if it follows no deployment: what
// it waits for, such as a program that fetches credentials, may not be interruptible.
const interruptPatience = time.Second

// interrupt stops everything cleanly at the first signal. A later signal ends the process at once: deployments can be
// resumed from the log.
func (a *app) interrupt(ctx context.Context, cancel context.CancelFunc, signals <-chan os.Signal) {
	select {
	case <-signals:
		cancel()
	case <-ctx.Done():
		return
	}
	patience := time.After(interruptPatience)
	for first := time.Now(); ; {
		select {
		case <-signals:
			if time.Since(first) >= sameInterrupt {
				os.Exit(exitUnfinished)
			}
		case <-patience:
			if !a.follows.Load() {
				a.explain(context.Canceled)
				os.Exit(exitStatus(context.Canceled))
			}
		}
	}
}

// interrupted returns the error of a command that a signal ended, whatever the interruption looked like where it was
// noticed.
func (a *app) interrupted(err error) error {
	_, isUnfinished := errors.AsType[unfinished](err)
	_, isEnded := errors.AsType[ended](err)
	switch {
	case err == nil || isUnfinished || isEnded:
		return err
	case a.follows.Load():
		return unfinished{"interrupted", "resume with: sluice run --resume"}
	}
	return context.Canceled
}
