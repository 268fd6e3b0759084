package shop

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// A Release is what differs between versions of the shop.
type Release struct {
	Name string
	// Migrate brings the orders into the release's form and returns how many it looked at. Nil where the
	// form has not changed. Running it again is harmless.
	Migrate func(ctx context.Context, b *Book) (int, error)
	// Open returns how the release takes orders; ctx ends with the server.
	Open func(ctx context.Context, b *Book) Take
}

// Take accepts one order. Once it returns nil the order is promised to the client.
type Take func(ctx context.Context, o Order) error

var releases = []Release{release10, release20rc1, release20, release21, release22, release23}

// FindRelease returns the release of that name.
func FindRelease(name string) (Release, error) {
	for _, r := range releases {
		if r.Name == name {
			return r, nil
		}
	}
	names := slices.Collect(func(yield func(string) bool) {
		for _, r := range releases {
			if !yield(r.Name) {
				return
			}
		}
	})
	return Release{}, fmt.Errorf("there is no release %q; there are %s", name, strings.Join(names, ", "))
}
