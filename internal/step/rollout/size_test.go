package rollout

import "testing"

// The rounding rule, and what must hold for every size and weight: at least as many pods serve as the smaller version
// has, both versions serve, and there are never more pods than both versions have.
func TestSizes(t *testing.T) {
	for _, tt := range []struct{ n, m, percent, serving, canary int }{
		{4, 4, 0, 0, keep},
		{4, 4, 1, 0, 1},
		{4, 4, 10, 0, 1},
		{4, 4, 25, 0, 1},
		{10, 10, 10, 0, 1},
		{10, 10, 15, 0, 2},
		{10, 10, 25, 0, 3},
		{4, 4, 50, 0, 4},
		{4, 4, 75, 1, 4},
		{10, 10, 75, 3, 10},
		{10, 10, 99, 1, 10},
		{4, 4, 100, 0, 4},
		{1, 1, 50, 0, 1},
		{1, 1, 75, 1, 1},
		{4, 2, 25, 0, 1},
		{4, 2, 50, 2, 2},
		{2, 4, 50, 0, 2},
		{2, 4, 75, 1, 4},
		{2, 4, 100, 0, 4},
	} {
		serving, canary := sizes(tt.n, tt.m, tt.percent)
		if serving != tt.serving || canary != tt.canary {
			t.Errorf("of %d, then %d at %d %%: %d old and %d new, want %d and %d",
				tt.n, tt.m, tt.percent, serving, canary, tt.serving, tt.canary)
		}
	}
	for n := 1; n <= 30; n++ {
		for m := 1; m <= 30; m++ {
			for p := 1; p < 100; p++ {
				serving, canary := sizes(n, m, p)
				old := serving
				if serving == 0 {
					old = n
				}
				if old > n || canary < 1 || canary > m || old+canary < min(n, m) {
					t.Fatalf("of %d, then %d at %d %%: %d old and %d new", n, m, p, old, canary)
				}
			}
		}
	}
}
