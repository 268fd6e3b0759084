package plan_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/internal/deployfile"
	"github.com/sluice-cd/sluice/internal/plan"
	"github.com/sluice-cd/sluice/internal/plantest"
)

// BenchmarkLarge reads, checks and plans a deploy file of 200 targets.
func BenchmarkLarge(b *testing.B) {
	dir := b.TempDir()
	if err := plantest.WriteLarge(dir, 200); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := plantest.Compile(dir); err != nil {
			b.Fatal(err)
		}
	}
}

// Four times as many targets take about four times as long, not sixteen times. The processor's time is measured, the
// best of several rounds, so that a busy machine does not decide.
func TestCompileIsNotQuadratic(t *testing.T) {
	few, many := large(t, 100), large(t, 400)
	small, large := time.Hour, time.Hour
	for range 10 {
		small, large = min(small, processorTime(t, few)), min(large, processorTime(t, many))
		if large <= 10*small {
			return
		}
	}
	t.Errorf("100 targets take %s, 400 take %s", small, large)
}

func large(t *testing.T, targets int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := plantest.WriteLarge(dir, targets); err != nil {
		t.Fatal(err)
	}
	return dir
}

// processorTime returns how long this process computes to compile the file in dir.
func processorTime(t *testing.T, dir string) time.Duration {
	t.Helper()
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	if _, err := plantest.Compile(dir); err != nil {
		t.Fatal(err)
	}
	return used() - before
}

// A plan of a large file is complete.
func TestLargeIsWhole(t *testing.T) {
	dir := large(t, 200)
	data, err := os.ReadFile(filepath.Join(dir, plantest.LargeFile))
	if err != nil {
		t.Fatal(err)
	}
	spec, ds := deployfile.Parse(plantest.LargeFile, data)
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	p, ds := plan.Compile(spec, plan.Options{Root: dir})
	if p == nil || len(ds) > 0 {
		t.Fatal(ds)
	}
	if len(p.Targets) != 200 || len(p.Steps) < 200*8 {
		t.Errorf("the plan has %d targets and %d steps", len(p.Targets), len(p.Steps))
	}
}
