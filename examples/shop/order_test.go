package shop

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestBuyerOf(t *testing.T) {
	tests := map[string]Buyer{
		"Ada Allen <ada@mail.example>": {Name: "Ada Allen", Mail: "ada@mail.example"},
		"Walk-in customer":             {Name: "Walk-in customer"},
		"Broken <nowhere":              {Name: "Broken <nowhere"},
	}
	for customer, want := range tests {
		if got := buyerOf(customer); got != want {
			t.Errorf("buyerOf(%q) = %+v, want %+v", customer, got, want)
		}
	}
}

func TestSameAs(t *testing.T) {
	a := Order{ID: "1", Customer: "A", SKU: "cup", Quantity: 1, Total: 4.5}
	b := a
	b.Buyer, b.PlacedAt = &Buyer{Name: "A"}, time.Now()
	if !a.SameAs(b) {
		t.Error("what a release adds makes it another purchase")
	}
	b.Quantity = 2
	if a.SameAs(b) {
		t.Error("another quantity is the same purchase")
	}
}

// The shelf of release 2.1 is large enough for a few orders but not for many at once. That is its fault.
func TestShelf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(2)
		for i := range 2 {
			if err := s.reserve(context.Background()); err != nil {
				t.Fatalf("reservation %d: %v", i, err)
			}
		}
		if s.reserve(context.Background()) == nil {
			t.Error("a third place was found on a shelf of two")
		}
		time.Sleep(hold)
		synctest.Wait()
		if err := s.reserve(context.Background()); err != nil {
			t.Error("the places are not free after their time:", err)
		}
		time.Sleep(hold)
	})
}

func TestReleasesAreFound(t *testing.T) {
	for _, r := range releases {
		if found, err := FindRelease(r.Name); err != nil || found.Name != r.Name || found.Open == nil {
			t.Errorf("%s: %+v, %v", r.Name, found, err)
		}
	}
	if _, err := FindRelease("9"); err == nil {
		t.Error("a release that does not exist was found")
	}
}
