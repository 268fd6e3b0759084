package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/deployfile"
)

// maxExcerpt bounds the files that are read again to show the line of a finding.
const maxExcerpt = 8 << 20

// explain tells a person what went wrong and what to do.
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
		a.findings(ds)
		a.problem(tally(ds))
		return
	}
	if errors.Is(err, context.Canceled) {
		a.problem("interrupted")
		return
	}
	a.problem(err.Error())
	if e, ok := errors.AsType[*sluice.Error](err); ok && e.Pos.IsValid() {
		a.excerpt(e.Pos)
	}
	a.hint(sluice.ErrorHint(err))
}

func (a *app) problem(message string) { fmt.Fprintf(a.err, "sluice: error: %s\n", message) }

func (a *app) hint(hint string) {
	if hint != "" {
		fmt.Fprintf(a.err, "sluice: hint: %s\n", hint)
	}
}

// findings prints each finding with the line it is about.
func (a *app) findings(ds sluice.Diagnostics) {
	for _, d := range ds {
		if d.Pos.IsValid() {
			fmt.Fprintln(a.err, d.String())
			a.excerpt(d.Pos)
		} else {
			fmt.Fprintf(a.err, "%s: %s [%s]\n", d.Severity, d.Message, d.Code)
		}
		if d.Hint != "" {
			fmt.Fprintf(a.err, "  hint: %s\n", d.Hint)
		}
	}
}

func (a *app) excerpt(pos sluice.Position) {
	f, err := os.Open(pos.File)
	if err != nil {
		return // the finding stands for itself
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxExcerpt))
	if err != nil {
		return
	}
	for line := range strings.Lines(deployfile.Excerpt(data, pos)) {
		fmt.Fprintf(a.err, "    %s\n", strings.TrimRight(line, "\n"))
	}
}

func tally(ds sluice.Diagnostics) string {
	faults, warnings := 0, 0
	for _, d := range ds {
		if d.Severity == sluice.SeverityError {
			faults++
			continue
		}
		warnings++
	}
	text := plural(faults, "error")
	if warnings > 0 {
		text += " and " + plural(warnings, "warning")
	}
	return text + " found; nothing was changed"
}
