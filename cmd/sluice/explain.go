package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/present"
)

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

func (a *app) problem(message string) { fmt.Fprintf(a.err, "sluice: error: %s\n", message) }

func (a *app) hint(hint string) {
	if hint != "" {
		fmt.Fprintf(a.err, "sluice: hint: %s\n", hint)
	}
}
