package plan_test

import (
	"os"
	"path/filepath"
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

// Four times as many targets take about four times as long, not sixteen times.
func TestCompileIsNotQuadratic(t *testing.T) {
	took := func(targets int) time.Duration {
		dir := t.TempDir()
		if err := plantest.WriteLarge(dir, targets); err != nil {
			t.Fatal(err)
		}
		best := time.Hour
		for range 3 {
			start := time.Now()
			if _, err := plantest.Compile(dir); err != nil {
				t.Fatal(err)
			}
			best = min(best, time.Since(start))
		}
		return best
	}
	if small, large := took(100), took(400); large > 10*small {
		t.Errorf("100 targets take %s, 400 take %s", small, large)
	}
}

// A plan of a large file is complete.
func TestLargeIsWhole(t *testing.T) {
	dir := t.TempDir()
	if err := plantest.WriteLarge(dir, 200); err != nil {
		t.Fatal(err)
	}
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
