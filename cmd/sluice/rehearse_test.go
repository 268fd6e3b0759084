package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sluice-cd/sluice"
)

// corpus holds deploy files that others wrote. It is not part of the repository.
const corpus = "../../../shared/corpus"

// shareCorpus tells scripts where the corpus is, if it is there.
func shareCorpus(env *testscript.Env) {
	if dir, err := filepath.Abs(corpus); err == nil {
		env.Setenv("CORPUS", dir)
	}
}

// condition knows [corpus], the corpus is there, and [server], the commands work on a server.
func condition(cond string) (bool, error) {
	if cond == "server" {
		return false, nil
	}
	if cond != "corpus" {
		return false, sluice.Errorf(sluice.Invalid, "unknown condition %q", cond)
	}
	_, err := os.Stat(corpus)
	return err == nil, nil
}

// awaitperson STEP returns once the step of the deployment that runs waits for a person.
func awaitPerson(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: awaitperson STEP")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, id := running(ctx, ts, "")
	defer client.Close()
	for u, err := range client.Watch(ctx, id, 0) {
		ts.Check(err)
		e := u.Event
		if e == nil || e.Step != sluice.StepID(args[0]) || e.Progress == nil || e.Progress.Wait == nil {
			continue
		}
		if slices.Contains(e.Progress.Wait.Signals, sluice.SignalApprove) {
			return
		}
	}
	ts.Fatalf("%s never waited for a person", args[0])
}
