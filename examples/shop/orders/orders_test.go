package orders_test

import (
	"slices"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/examples/shop/orders"
)

func TestDigests(t *testing.T) {
	a := orders.Digests{"1": {1}, "2": {2}, "3": {3}}
	b := orders.Digests{"1": {1}, "3": {9}, "4": {4}}
	if got := a.Without(b); !slices.Equal(got, []string{"2"}) {
		t.Errorf("lost %q", got)
	}
	if got := a.Kept(b); got != 1 {
		t.Errorf("%d kept unchanged, want 1", got)
	}
	if got := b.CountOf(map[string]time.Time{"4": {}, "5": {}}); got != 1 {
		t.Errorf("%d promised are there, want 1", got)
	}
	if a.Equal(b) || !a.Equal(a) {
		t.Error("orders equal what they do not")
	}
}
