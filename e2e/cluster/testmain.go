package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Main is the whole of a package's TestMain: it brings the pair up, waits until it
// runs pods, hands it to prepare, runs the tests and returns the exit status. If the clusters were down
// before, it takes them down once no other test process uses them, and fails if
// anything is left; E2E_KEEP=1 keeps them.
func Main(m interface{ Run() int }, prepare func(context.Context, *Pair) error) int {
	o, err := Options{}.withDefaults()
	if err != nil {
		return complain(err)
	}
	users, err := o.joinUsers()
	if err != nil {
		return complain(err)
	}
	defer users.Close()
	before, err := Running(o)
	if err != nil {
		return complain(err)
	}
	pair, err := Up(context.Background(), o)
	if err != nil {
		return complain(err)
	}
	code := run(m, pair, prepare)
	if !pair.Owned || len(before) > 0 || os.Getenv("E2E_KEEP") != "" {
		return code
	}
	if err := errors.Join(awaitOthers(users), Down(o)); err != nil {
		return complain(err)
	}
	return code
}

func run(m interface{ Run() int }, pair *Pair, prepare func(context.Context, *Pair) error) int {
	ctx := context.Background()
	if err := errors.Join(pair.awaitWorking(ctx), prepare(ctx, pair)); err != nil {
		return complain(err)
	}
	return m.Run()
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, "clusters:", err)
	return 1
}

// joinUsers keeps other test processes from taking the clusters down until the
// file is closed.
func (o Options) joinUsers() (*os.File, error) {
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(o.Dir, "users"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	return f, syscall.Flock(int(f.Fd()), syscall.LOCK_SH)
}

// awaitOthers returns when this process is the last that uses the clusters.
func awaitOthers(users *os.File) error {
	return syscall.Flock(int(users.Fd()), syscall.LOCK_EX)
}
