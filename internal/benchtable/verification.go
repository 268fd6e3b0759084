package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/besidetest"
	"github.com/sluice-cd/sluice/internal/database/mongodb"
	"github.com/sluice-cd/sluice/internal/database/remote"
	"github.com/sluice-cd/sluice/internal/databasetest"
)

// defaultDocuments are read if BENCH_DOCUMENTS does not say how many.
const defaultDocuments = 20_000

func measureVerification(ctx context.Context) (rows []row, err error) {
	documents, err := strconv.Atoi(cmp.Or(os.Getenv("BENCH_DOCUMENTS"), strconv.Itoa(defaultDocuments)))
	if err != nil {
		return nil, fmt.Errorf("BENCH_DOCUMENTS: %w", err)
	}
	var job job
	defer func() { err = errors.Join(err, job.end()) }()
	far, err := job.databases(ctx)
	if err != nil {
		return nil, err
	}
	m, err := databasetest.MeasureVerification(ctx, documents, mongodb.New(), far)
	if err != nil {
		return nil, err
	}
	return []row{
		verified(humanize.Comma(int64(documents))+" documents verified", documents, m.Verify[0], m.Cursor),
		verified("  by a Job", documents, m.Verify[1], m.Cursor),
	}, nil
}

func verified(what string, documents int, verify, cursor time.Duration) row {
	const goal = 1.5
	ratio := verify.Seconds() / cursor.Seconds()
	return row{
		What: what, Figure: fmt.Sprintf("%s, %.1f times the cursor", perSecond(documents, verify), ratio),
		Rival: "plain cursor: " + perSecond(documents, cursor),
		Goal:  fmt.Sprintf("at most %.1f times", goal), Missed: ratio > goal,
	}
}

// A job is one that runs in this process and is called over a real connection.
type job struct {
	cleanup  []func()
	failures []error
}

func (j *job) Cleanup(f func()) { j.cleanup = append(j.cleanup, f) }

func (j *job) Errorf(format string, arguments ...any) {
	j.failures = append(j.failures, fmt.Errorf(format, arguments...))
}

func (j *job) databases(ctx context.Context) (sluice.Databases, error) {
	cluster := besidetest.New(j, func(besidetest.Pod) http.Handler {
		mux := http.NewServeMux()
		network := func(string) sluice.Dial { return (&net.Dialer{}).DialContext }
		remote.Offer(mux, map[string]sluice.Databases{"mongodb": mongodb.New()}, network)
		return mux
	})
	w := beside.Work{Place: cluster.Place("shop"), Name: beside.Name("database")}
	s, err := cluster.Bench(beside.Options{}).Open(ctx, w)
	if err != nil {
		return nil, err
	}
	j.Cleanup(s.Close)
	return remote.New(s, "mongodb", "shop"), nil
}

func (j *job) end() error {
	for _, f := range j.cleanup {
		f()
	}
	return errors.Join(j.failures...)
}
