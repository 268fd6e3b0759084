package postgres_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluice-cd/sluice"
)

// lockAppends takes the append lock as a process that is stopped keeps it, until free is called.
func lockAppends(t *testing.T, address string) (free func()) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), address)
	must(t, err)
	_, err = c.Exec(t.Context(), "SELECT pg_advisory_lock($1, 1)", 0x536c6365)
	must(t, err)
	return func() { must(t, c.Close(context.Background())) }
}

func TestStoresWakeEachOther(t *testing.T) {
	t.Parallel()
	address := database(t)
	a, b := open(t, address), open(t, address)
	defer a.Close()
	defer b.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	must(t, a.Append(ctx, "d", 0, started("shop")))
	began := time.Now()
	var appended, noticed []time.Duration
	for e, err := range b.Tail(ctx, 0) {
		must(t, err)
		noticed = append(noticed, time.Since(began))
		if e.Event.Seq == 200 {
			break
		}
		began = time.Now()
		must(t, a.Append(ctx, "d", e.Event.Seq, progressed("news")))
		appended = append(appended, time.Since(began))
	}
	if len(noticed) != 200 {
		t.Fatalf("%d events were noticed", len(noticed))
	}
	slices.Sort(appended)
	slices.Sort(noticed)
	t.Logf("from the call of Append to the event in another store: median %s, worst %s; the append alone: median %s",
		noticed[100], noticed[198], appended[100])
}

// What happened while the listener was away is seen when it is back.
func TestListenerThatBreaks(t *testing.T) {
	t.Parallel()
	address := database(t)
	a, b := open(t, address), open(t, address)
	defer a.Close()
	defer b.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	must(t, a.Append(ctx, "d", 0, started("shop")))
	ended := int64(0)
	for e, err := range b.Tail(ctx, 0) {
		must(t, err)
		if e.Event.Seq == 10 {
			break
		}
		ended += endSessions(t, address, "sluice listener")
		must(t, a.Append(ctx, "d", e.Event.Seq, progressed("news")))
	}
	if ctx.Err() != nil || ended == 0 {
		t.Errorf("%d sessions were ended: %v", ended, ctx.Err())
	}
}

// A follower that begins at the beginning reads a log that is larger than what it may keep in memory.
func TestTailKeepsLittleInMemory(t *testing.T) {
	const each, calls, size, allowed = 16, 12, 256 << 10, 24 << 20
	s := open(t, database(t))
	defer s.Close()
	text := strings.Repeat("x", size)
	must(t, s.Append(t.Context(), "d", 0, started("shop")))
	for n := range calls {
		var list []sluice.Event
		for i := range each {
			list = append(list, progressed(fmt.Sprint(n, i, text)))
		}
		must(t, s.Append(t.Context(), "d", sluice.Seq(n*each+1), list...))
	}
	list := live()
	n, most := 0, uint64(0)
	for _, err := range s.Tail(t.Context(), 0) {
		must(t, err)
		if n++; n%10 == 0 {
			most = max(most, live())
		}
		if n == each*calls+1 {
			break
		}
	}
	if most > list+allowed {
		t.Errorf("%d MiB of a feed of %d MiB were in memory", (most-list)>>20, each*calls*size>>20)
	}
}

// live returns how many bytes are in use.
func live() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
