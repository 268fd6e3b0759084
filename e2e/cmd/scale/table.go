package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const columns = "%8s %9s %9s %6s %6s %8s %7s %9s %7s %7s %7s %9s %9s %6s\n"

var header = fmt.Sprintf(columns, "at once", "plain", "canary", "ratio", "pods", "step", "writes", "dry runs", "reads",
	"CPU s", "RSS MB", "plane s", "of plain", "work")

const goals = "goals: at most 2 times a plain update, every pod started once, at most 6 writes a release, " +
	"under 150 MB, under 0.10 s a further step\n"

// row is the measurement as a line of the table. What is not known is "-".
func (m measurement) row() string {
	step, writes, dryRuns, reads, cpu, rss, plane, plain, work := "-", "-", "-", "-", "-", "-", "-", "-", "-"
	if m.step > 0 {
		step = seconds(m.step)
	}
	if r := m.requests; r != nil {
		writes, dryRuns, reads = number(m.per(r.writes)), number(m.per(r.dryRuns)), number(m.per(r.reads))
	}
	if m.rss > 0 {
		cpu, rss = number(m.cpu.Seconds()), fmt.Sprint(m.rss>>20)
	}
	if m.plainPlane > 0 && m.canaryPlane > 0 {
		plane, plain, work = number(m.canaryPlane.Seconds()), number(m.plainPlane.Seconds()), number(m.work())
	}
	return fmt.Sprintf(columns, m.shape, seconds(m.plain), seconds(m.canary), number(m.ratio()),
		number(m.podsPerReplica()), step, writes, dryRuns, reads, cpu, rss, plane, plain, work)
}

// each lists how many requests of each kind a release took.
func (m measurement) each() string {
	var list strings.Builder
	for _, what := range slices.Sorted(maps.Keys(m.requests.each)) {
		fmt.Fprintf(&list, "%8s %6.2f %s\n", "", m.per(m.requests.each[what]), what)
	}
	return list.String()
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

func number(f float64) string { return fmt.Sprintf("%.1f", f) }
