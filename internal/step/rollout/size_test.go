package rollout

import "testing"

// The rounding rule, and what must hold for every size and weight: never fewer pods than before, never more than
// twice as many, and both versions where both are asked for.
func TestSizes(t *testing.T) {
	for _, tt := range []struct{ n, percent, limit, stable, canary int }{
		{4, 0, 0, 4, keep},
		{4, 1, 0, 4, 1},
		{4, 10, 0, 4, 1},
		{4, 25, 0, 4, 1},
		{10, 10, 0, 10, 1},
		{10, 15, 0, 10, 2},
		{10, 25, 0, 10, 3},
		{4, 50, 0, 4, 4},
		{4, 75, 0, 1, 4},
		{10, 75, 0, 3, 10},
		{10, 99, 0, 1, 10},
		{4, 100, 0, keep, 4},
		{1, 50, 0, 1, 1},
		{4, 75, 20, 4, 12},
		{4, 75, 8, 4, 8},
		{4, 75, 2, 4, 4},
	} {
		stable, canary := sizes(tt.n, tt.percent, tt.limit)
		if stable != tt.stable || canary != tt.canary {
			t.Errorf("of %d at %d %% (limit %d): %d old and %d new, want %d and %d",
				tt.n, tt.percent, tt.limit, stable, canary, tt.stable, tt.canary)
		}
	}
	for n := 1; n <= 50; n++ {
		for p := 1; p < 100; p++ {
			stable, canary := sizes(n, p, 0)
			if stable < 1 || canary < 1 || stable+canary < n || stable+canary > 2*n {
				t.Fatalf("of %d at %d %%: %d old and %d new", n, p, stable, canary)
			}
		}
	}
}
