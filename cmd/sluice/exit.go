package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice"
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
)

// statuses is the one table from codes to exit statuses.
var statuses = map[sluice.Code]int{
	sluice.Failed:      exitFailed,
	sluice.Internal:    exitFailed,
	sluice.Invalid:     exitInvalid,
	sluice.NotFound:    exitInvalid,
	sluice.Unsupported: exitInvalid,
	sluice.Conflict:    exitConflict,
	sluice.Cancelled:   exitCancelled,
	sluice.Unavailable: exitUnavailable,
	sluice.Denied:      exitDenied,
	sluice.Exhausted:   exitExhausted,
}

// An unfinished deployment was left to be resumed: that is neither its success nor its failure.
type unfinished struct{ message, hint string }

func (u unfinished) Error() string { return u.message }

// An ended deployment did not succeed; everything about it was said already.
type ended struct{ outcome sluice.Status }

func (e ended) Error() string { return "the deployment ended: " + string(e.outcome) }

func exitStatus(err error) int {
	if err == nil {
		return exitOK
	}
	if _, ok := errors.AsType[unfinished](err); ok {
		return exitUnfinished
	}
	if e, ok := errors.AsType[ended](err); ok {
		return outcomeStatus(e.outcome)
	}
	if errors.Is(err, context.Canceled) {
		return exitCancelled
	}
	if status, ok := statuses[sluice.ErrorCode(err)]; ok {
		return status
	}
	return exitFailed
}

func outcomeStatus(outcome sluice.Status) int {
	switch outcome {
	case sluice.StatusSucceeded:
		return exitOK
	case sluice.StatusCancelled:
		return exitCancelled
	}
	return exitFailed
}

const exitCodesHelp = `The exit statuses of sluice:

  0  it worked; for run: the deployment succeeded, or goes on in the background as you asked
  1  the deployment failed or was rolled back, or something unexpected happened
  2  the input is wrong: a deploy file, a flag, a name that does not exist, something not supported; nothing was changed
  3  somebody else came first: another deployment of the application runs, or the step was decided already
  4  it was cancelled
  5  a server, disk or network that is needed is away; trying again may help
  6  a right is missing
  7  no space, port or time is left
  8  sluice was stopped before the deployment ended; go on with: sluice run --resume
`

func newExitCodes() *cobra.Command {
	return &cobra.Command{
		Use: "exit-codes", Short: "What the exit statuses mean", Long: exitCodesHelp,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), exitCodesHelp)
			return err
		},
	}
}
