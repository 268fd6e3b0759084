package storetest

import (
	"context"
	"math"
	"os"
	"strconv"
	"testing"

	"github.com/sluice-cd/sluice"
)

func testReaders(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, sluice.Store){
		"says NotFound for an absent one":   readerNotFound,
		"gives back what was put":           readerRoundTrip,
		"never goes back":                   readerNeverBack,
		"refuses one without a name":        readerNeeds,
		"changes nothing once ctx is ended": readerCancelled,
		"keeps the highest of many":         readerConcurrent,
		"is leased by one at a time":        readerLease,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t, open)) })
	}
	t.Run("are the same for all processes", func(t *testing.T) { readerShared(t, open) })
	t.Run("survive reopening", func(t *testing.T) { readerReopen(t, open) })
	t.Run("survive kill -9", func(t *testing.T) { readerKilled(t, open) })
}

func wantReader(t *testing.T, s sluice.Readers, name string, want sluice.Cursor) {
	t.Helper()
	got, err := s.CursorOf(context.Background(), name)
	must(t, err)
	if got != want {
		t.Errorf("reader %s is at %d, want %d", name, got, want)
	}
}

func readerNotFound(t *testing.T, s sluice.Store) {
	must(t, s.PutCursor(context.Background(), "a", 1))
	for _, name := range []string{"absent", "", "A", "a%"} {
		_, err := s.CursorOf(context.Background(), name)
		wantCode(t, err, sluice.NotFound)
	}
}

func readerRoundTrip(t *testing.T, s sluice.Store) {
	for name, c := range map[string]sluice.Cursor{"a": 1, "b": math.MaxInt64, "an empty feed": 0, "日本 'x'": 7} {
		must(t, s.PutCursor(context.Background(), name, c))
		wantReader(t, s, name, c)
	}
	must(t, s.PutCursor(context.Background(), "a", 2))
	wantReader(t, s, "a", 2)
	wantReader(t, s, "an empty feed", 0)
}

func readerNeverBack(t *testing.T, s sluice.Store) {
	for _, c := range []sluice.Cursor{5, 3, 5, 0} {
		must(t, s.PutCursor(context.Background(), "a", c))
		wantReader(t, s, "a", 5)
	}
}

func readerNeeds(t *testing.T, s sluice.Store) {
	wantCode(t, s.PutCursor(context.Background(), "", 1), sluice.Invalid)
}

func readerCancelled(t *testing.T, s sluice.Store) {
	must(t, s.PutCursor(context.Background(), "a", 1))
	wantCode(t, s.PutCursor(endedContext(), "a", 2), sluice.Cancelled)
	wantReader(t, s, "a", 1)
}

func readerConcurrent(t *testing.T, s sluice.Store) {
	inParallel(func(i int) { expect(t, s.PutCursor(context.Background(), "a", sluice.Cursor(i))) })
	wantReader(t, s, "a", appenders-1)
}

func readerLease(t *testing.T, s sluice.Store) {
	ctx := context.Background()
	l, err := s.Lease(ctx, sluice.ReaderLease("a"))
	must(t, err)
	_, err = s.Lease(ctx, sluice.ReaderLease("a"))
	wantCode(t, err, sluice.Conflict)
	other, err := s.Lease(ctx, sluice.ReaderLease("b"))
	must(t, err)
	must(t, other.Release())
	must(t, l.Release())
	l, err = s.Lease(ctx, sluice.ReaderLease("a"))
	must(t, err)
	must(t, l.Release())
}

func readerShared(t *testing.T, open Open) {
	a, b := pair(t, open)
	must(t, a.PutCursor(context.Background(), "a", 3))
	wantReader(t, b, "a", 3)
	must(t, b.PutCursor(context.Background(), "a", 2))
	wantReader(t, a, "a", 3)
}

func readerReopen(t *testing.T, open Open) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.PutCursor(context.Background(), "a", 3))
	must(t, s.Close())
	wantReader(t, opened(t, open, dir), "a", 3)
}

// readerKilled kills a process that puts one cursor after the other, and finds the last that was acknowledged, or the
// one after it.
func readerKilled(t *testing.T, open Open) {
	if dir := os.Getenv(processDir); dir != "" {
		s := open(t, dir)
		for c := sluice.Cursor(1); ; c++ {
			must(t, s.PutCursor(context.Background(), "a", c))
			say(t, strconv.Itoa(int(c)))
		}
	}
	dir := t.TempDir()
	p, last := spawn(t, dir), 0
	for {
		line, ok := p.hear()
		if !ok {
			break
		}
		n, err := strconv.Atoi(line)
		must(t, err)
		if last = n; last == 20 {
			p.kill()
		}
	}
	got, err := opened(t, open, dir).CursorOf(context.Background(), "a")
	must(t, err)
	if last < 20 || got < sluice.Cursor(last) || got > sluice.Cursor(last)+1 {
		t.Errorf("the reader is at %d, %d was acknowledged", got, last)
	}
}
