package postgres_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/postgrestest"
)

// A process that is stopped loses its leases, and comes back as if no time had passed. It must not append to a log that
// another process continues, although its events would follow the last one.
func TestStoppedProcessIsKeptOut(t *testing.T) {
	if address := os.Getenv(theAddress); address != "" {
		appendWhenTold(t, address)
		return
	}
	t.Parallel()
	address := database(t)
	s := open(t, address)
	defer s.Close()
	for i, notice := range []func(){
		func() { // an administrator ends its session
			if endSessions(t, address, "sluice leases") == 0 {
				t.Error("no session holds leases")
			}
		},
		func() {}, // the server hears nothing from it
	} {
		id := sluice.DeploymentID(fmt.Sprint("d", i))
		must(t, s.Append(t.Context(), id, 0, started(string(id))))
		p := spawn(t, address)
		_, err := fmt.Fprintln(p.input, id)
		must(t, err)
		if said := p.hear(t); said != "leased" {
			t.Fatal(said)
		}
		if _, err := s.Lease(t.Context(), id); sluice.ErrorCode(err) != sluice.Conflict {
			t.Fatalf("a lease that somebody holds: %v", err)
		}
		must(t, p.Process.Signal(syscall.SIGSTOP))
		began := time.Now()
		notice()
		l := leaseSoon(t, s, id)
		t.Logf("the lease of a stopped process is free after %s", time.Since(began).Round(time.Millisecond))
		must(t, p.Process.Signal(syscall.SIGCONT))
		_, err = fmt.Fprintln(p.input, "append")
		must(t, err)
		if said := p.hear(t); said != string(sluice.Conflict) {
			t.Errorf("the append of the process that was stopped ended with %q, want a conflict", said)
		}
		must(t, s.Append(t.Context(), id, 1, progressed("ours")))
		if diff := cmp.Diff([]string{"ours"}, messages(t, s, id)); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
		must(t, l.Release())
	}
}

// appendWhenTold leases the deployment that it is told, and appends to it when it is told.
func appendWhenTold(t *testing.T, address string) {
	s := open(t, address)
	lines := bufio.NewScanner(os.Stdin)
	lines.Scan()
	id := sluice.DeploymentID(lines.Text())
	if _, err := s.Lease(context.Background(), id); err != nil {
		say(err.Error())
		return
	}
	say("leased")
	lines.Scan()
	say(string(sluice.ErrorCode(s.Append(context.Background(), id, 1, progressed("theirs")))))
}

// A process that is cut off from the server knows that it has lost its leases before others can take them.
func TestProcessThatIsCutOffLosesItsLeases(t *testing.T) {
	t.Parallel()
	name := postgrestest.Database(t, t.TempDir())
	p, address := newProxy(t, name)
	a, b := open(t, address), open(t, postgrestest.Shared(t).Address(name))
	defer b.Close()
	must(t, b.Append(t.Context(), "d", 0, started("shop")))
	l, err := a.Lease(t.Context(), "d")
	must(t, err)
	kept, err := b.Lease(t.Context(), "kept")
	must(t, err)
	began := time.Now()
	p.set(func() { p.cut = true })
	var known atomic.Int64
	go func() {
		<-l.Lost()
		known.Store(int64(time.Since(began)))
	}()
	leaseSoon(t, b, "d")
	took := time.Since(began)
	if known.Load() == 0 {
		t.Errorf("others can lease after %s, and the holder does not know", took)
	}
	t.Logf("the holder knows after %s, others can lease after %s", time.Duration(known.Load()), took)
	if err := a.Append(t.Context(), "d", 1, progressed("theirs")); sluice.ErrorCode(err) != sluice.Conflict {
		t.Errorf("an append after the lease was lost: %v", err)
	}
	select {
	case <-kept.Lost():
		t.Error("a lease was lost whose process was not cut off")
	default:
	}
	go a.Close() // it waits for the pool, whose connections are cut off
}

// Sessions break all the time, and several processes take the lease of one deployment from each other. Its holder never
// meets an event that it did not read first.
func TestHolderOfALeaseIsAlone(t *testing.T) {
	t.Parallel()
	const terms, workers = 60, 4
	address := database(t)
	first := open(t, address)
	defer first.Close()
	must(t, first.Append(t.Context(), "d", 0, started("shop")))
	var term atomic.Int64
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			s := open(t, address)
			defer s.Close()
			for n := term.Add(1); n <= terms; n = term.Add(1) {
				hold(t, s, n)
			}
		})
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		group.Wait()
	}()
	for ended := int64(0); ; {
		select {
		case <-done:
			t.Logf("%d sessions of leases were ended", ended)
			wantTermsInARow(t, messages(t, first, "d"))
			return
		default:
			ended += endSessions(t, address, "sluice leases")
		}
	}
}

// hold leases the deployment and appends a few events; a conflict means that the lease is lost.
func hold(t *testing.T, s sluice.Store, term int64) {
	ctx := context.Background()
	l, err := s.Lease(ctx, "d")
	for ; err != nil; l, err = s.Lease(ctx, "d") {
		if code := sluice.ErrorCode(err); code != sluice.Conflict && code != sluice.Unavailable {
			t.Error(err)
			return
		}
	}
	after := sluice.Seq(0)
	for e := range s.Read(ctx, "d", 0) {
		after = e.Seq
	}
	for range 5 {
		if err = s.Append(ctx, "d", after, progressed(fmt.Sprint(term))); err != nil {
			break
		}
		after++
	}
	if err != nil {
		select {
		case <-l.Lost():
		case <-time.After(20 * time.Second):
			t.Errorf("the lease is not lost, and an append ended with: %v", err)
		}
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
}

func wantTermsInARow(t *testing.T, terms []string) {
	t.Helper()
	seen := slices.Compact(terms)
	sorted := slices.Clone(seen)
	slices.Sort(sorted)
	if len(slices.Compact(sorted)) != len(seen) {
		t.Errorf("a holder appended between the events of another one: %v", seen)
	}
}
