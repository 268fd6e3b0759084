package shop

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// A Release has what differs between versions of the shop.
type Release struct {
	Name string
	// Migrate converts the orders to the release's format and returns how many it read. It is nil if the format
	// has not changed. It can be repeated safely.
	Migrate func(ctx context.Context, b *Book) (int, error)
	// Open returns the release's way to take orders; ctx ends with the server.
	Open func(ctx context.Context, b *Book) Take
}

// Take accepts one order. When it returns nil, the order is confirmed to the client.
type Take func(ctx context.Context, o Order) error

var releases = []Release{release10, release20rc1, release20, release21, release22, release23}

// FindRelease returns the release with that name.
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
