package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/engine"
	"github.com/sluice-cd/sluice/internal/present"
)

// The exit statuses.
const (
	exitOK          = 0
	exitFailed      = 1
	exitInvalid     = 2
	exitConflict    = 3
	exitCancelled   = 4
	exitUnavailable = 5
	exitDenied      = 6
	exitExhausted   = 7
	exitUnfinished  = 8
	exitOvertaken   = 9
	exitUndecided   = 10
)

// statuses is the only table from codes to exit statuses.
var statuses = map[sluice.Code]int{
	sluice.Failed:          exitFailed,
	sluice.Internal:        exitFailed,
	sluice.Invalid:         exitInvalid,
	sluice.NotFound:        exitInvalid,
	sluice.Unsupported:     exitInvalid,
	sluice.Conflict:        exitConflict,
	sluice.Cancelled:       exitCancelled,
	sluice.Unavailable:     exitUnavailable,
	sluice.Denied:          exitDenied,
	sluice.Unauthenticated: exitDenied,
	sluice.Exhausted:       exitExhausted,
}

// An unfinished deployment continues elsewhere or can be resumed: it has neither succeeded nor failed.
type unfinished struct{ message, hint string }

func (u unfinished) Error() string { return u.message }

// An ended deployment did not simply succeed. The summary has already said why.
type ended struct{ status int }

// endedWith returns the error for the exit status of a deployment that ended, nil for success.
func endedWith(status int) error {
	if status == exitOK {
		return nil
	}
	return ended{status}
}

func (e ended) Error() string { return fmt.Sprintf("the deployment ended with status %d", e.status) }

func exitStatus(err error) int {
	if err == nil {
		return exitOK
	}
	if _, ok := errors.AsType[unfinished](err); ok {
		return exitUnfinished
	}
	if e, ok := errors.AsType[ended](err); ok {
		return e.status
	}
	if errors.Is(err, context.Canceled) {
		return exitCancelled
	}
	if status, ok := statuses[sluice.ErrorCode(err)]; ok {
		return status
	}
	return exitFailed
}

// endStatus returns the exit status of a deployment that ended.
func endStatus(s *engine.State) int {
	switch s.Outcome {
	case sluice.StatusSucceeded:
		if len(present.Undecided(s)) > 0 {
			return exitUndecided
		}
		return exitOK
	case sluice.StatusCancelled:
		return exitCancelled
	case sluice.StatusOvertaken:
		return exitOvertaken
	}
	return exitFailed
}

const exitCodesHelp = `The exit statuses of sluice:

  0  success; for run: the deployment succeeded, or continues in the background as requested
  1  the deployment failed or was rolled back, or something unexpected happened
  2  the input is wrong: a deploy file, a flag, a name that does not exist, something unsupported, an object that an
     account refuses; nothing was changed
  3  a conflict: another deployment of the application runs, or somebody already decided the step
  4  it was cancelled
  5  a server, disk or network is unavailable; try again
  6  a right is missing, or a server refuses the credentials
  7  no space, port or time is left
  8  sluice was stopped before the deployment ended; resume with: sluice run --resume
  9  the deployment was queued, and a newer one overtook it; nothing of it was deployed
 10  the rehearsal succeeded, but --approve approved a judgment that was not good: a person would have had to decide
`

func newExitCodes() *cobra.Command {
	return &cobra.Command{
		Use: "exit-codes", Short: "Explain the exit statuses", Long: exitCodesHelp,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return present.Printf(cmd.OutOrStdout(), exitCodesHelp)
		},
	}
}

// explain prints what went wrong and what to do.
func (a *app) explain(err error) {
	if err == nil {
		return
	}
	if _, ok := errors.AsType[ended](err); ok {
		return
	}
	if u, ok := errors.AsType[unfinished](err); ok {
		a.note("%s", u.message)
		a.hint(u.hint)
		return
	}
	if ds, ok := errors.AsType[sluice.Diagnostics](err); ok {
		present.Findings(a.err, ds)
		a.problem(present.Tally(ds))
		return
	}
	if errors.Is(err, context.Canceled) {
		a.problem("interrupted")
		return
	}
	a.problem(err.Error())
	if e, ok := errors.AsType[*sluice.Error](err); ok && e.Pos.IsValid() {
		present.Excerpt(a.err, e.Pos)
	}
	a.hint(sluice.ErrorHint(err))
}

func (a *app) problem(message string) { present.Printf(a.err, "sluice: error: %s\n", message) }

func (a *app) hint(hint string) {
	if hint != "" {
		present.Printf(a.err, "sluice: hint: %s\n", hint)
	}
}
