package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/internal/enginetest"
)

// deployments and steps are what all measurements of the engine run at once.
const (
	deployments = 1000
	steps       = 20
)

func measureDeployments(ctx context.Context) ([]row, error) {
	m, err := enginetest.MeasureDeployments(ctx, deployments, steps)
	if err != nil {
		return nil, err
	}
	rows := []row{
		below("1,000 deployments of 20 steps at once", m.Took, 20*time.Second),
		{What: "  steps per second", Figure: fmt.Sprintf("%.0f", float64(m.Steps)/m.Took.Seconds())},
		{What: "  signal to next step, all 1,000 signals at once", Figure: percentiles(m)},
	}
	memory, err := memoryOf("self", "VmHWM")
	if err != nil {
		return nil, err
	}
	const goal = 250
	return append(rows, row{
		What: "  peak memory of the process", Figure: fmt.Sprintf("%d MB", memory>>20),
		Goal: fmt.Sprintf("< %d MB", goal), Missed: memory>>20 >= goal,
	}), nil
}

func measureReaction(ctx context.Context) ([]row, error) {
	const perSecond = 100
	m, err := enginetest.MeasureReaction(ctx, deployments, steps, perSecond)
	if err != nil {
		return nil, err
	}
	goal := 50 * time.Millisecond
	return []row{{
		What: fmt.Sprintf("signal to next step, 1,000 deployments, %d signals a second", perSecond), Figure: percentiles(m),
		Goal: fmt.Sprintf("p99 < %s", goal), Missed: m.Percentile(0.99) >= goal,
	}}, nil
}

func measureResume(ctx context.Context) ([]row, error) {
	took, err := enginetest.MeasureResume(ctx, deployments, steps)
	if err != nil {
		return nil, err
	}
	return []row{below("1,000 interrupted deployments resumed", took, 3*time.Second)}, nil
}

func measureDecide(context.Context) ([]row, error) {
	const waves, goal = 20, 10 * time.Millisecond
	took := enginetest.MeasureDecide(waves, waves)
	return []row{{
		What:   fmt.Sprintf("one decision about %d waves of %d targets", waves, waves),
		Figure: took.Round(time.Microsecond).String(),
		Goal:   "< " + goal.String(), Missed: took >= goal,
	}}, nil
}

// below is a row for a time that has a limit.
func below(what string, took, goal time.Duration) row {
	return row{What: what, Figure: seconds(took), Goal: "< " + seconds(goal), Missed: took >= goal}
}

func percentiles(m enginetest.Measurement) string {
	ms := func(p float64) float64 { return float64(m.Percentile(p).Microseconds()) / 1000 }
	return fmt.Sprintf("p50 %.1f ms, p99 %.1f ms", ms(0.5), ms(0.99))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// memoryOf returns a figure of the memory of a process in bytes, such as VmHWM, the largest resident memory so far.
func memoryOf(pid, name string) (int64, error) {
	f, err := os.Open("/proc/" + pid + "/status")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), name+":"); ok {
			var kib int64
			if _, err := fmt.Sscanf(rest, "%d kB", &kib); err != nil {
				return 0, fmt.Errorf("read the memory in %q: %w", rest, err)
			}
			return kib << 10, nil
		}
	}
	return 0, fmt.Errorf("the system does not tell the memory of a process")
}
