package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/mod/semver"
)

// What every package says about Sluice.
const (
	name        = "sluice"
	homepage    = "https://github.com/sluice-cd/sluice"
	license     = "Apache-2.0"
	summary     = "Deliver applications whose data matters"
	description = "Sluice takes a release through its environments: it copies production's data to staging, upgrades\n" +
		"and verifies it there, takes a checkpoint, releases a canary to production while it watches metrics,\n" +
		"and restores everything if the release is bad."
)

// A product is one version of Sluice that is to be packed.
type product struct {
	root    string // the checkout
	version string // such as v0.1.0
	commit  string
	date    time.Time // of the commit
	url     string    // the files will be below it
}

// newProduct reads the commit of the checkout. It refuses changes that are not committed: nobody could build the same
// again.
func newProduct(ctx context.Context, root, version, url string) (product, error) {
	if version == "" || semver.Canonical(version) != version {
		return product{}, fmt.Errorf("%q is not a version: type make release VERSION=v0.1.0", version)
	}
	changes, err := git(ctx, root, "status", "--porcelain")
	if err != nil {
		return product{}, err
	}
	if changes != "" {
		return product{}, errors.New("the checkout has changes that are not committed: commit or stash them")
	}
	head, err := git(ctx, root, "log", "-1", "--format=%H %ct")
	if err != nil {
		return product{}, err
	}
	var commit string
	var seconds int64
	if _, err := fmt.Sscan(head, &commit, &seconds); err != nil {
		return product{}, fmt.Errorf("read the commit %q: %w", head, err)
	}
	return product{root, version, commit, time.Unix(seconds, 0).UTC(), url}, nil
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}

// number is the version without its v.
func (p product) number() string { return strings.TrimPrefix(p.version, "v") }

// file is the name of a file for one platform, without its extension.
func (p product) file(on platform) string {
	return fmt.Sprintf("%s_%s_%s_%s", name, p.number(), on.os, on.arch)
}
