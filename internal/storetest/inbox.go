package storetest

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sluice-cd/sluice"
)

func testInbox(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, Open){
		"keeps letters in order until they are settled":  inboxKeeps,
		"takes no letter that nobody can read":           inboxRefusesSending,
		"keeps the first refusal for the sender":         inboxRefuses,
		"settles a letter with the event, once":          inboxSettlesOnce,
		"settles a letter by one of many appends":        inboxConcurrent,
		"lets a sender wait for the answer":              inboxAnswers,
		"yields earlier and later arrivals":              inboxArrivals,
		"yields the arrivals of many that send at once":  inboxArrivalsConcurrent,
		"carries a signal from another process and back": inboxProcess,
		"applies each letter once, whatever is killed":   inboxKilled,
		"keeps letters when the store is reopened":       inboxReopened,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

// signal is the nth one.
func signal(n int) sluice.Signal {
	return sluice.Signal{
		Kind: sluice.SignalApprove, Step: "production/canary/0", Target: "production", Reason: fmt.Sprint("reason ", n),
		Success: n%2 == 0, By: sluice.Actor{Name: "bob", Roles: []string{"lead"}, Via: "api"},
	}
}

func received(n int, letter sluice.LetterID) sluice.Event {
	sig := signal(n)
	return sluice.Event{At: at(n), Kind: sluice.SignalReceived, Signal: &sig, Letter: letter}
}

// send sends the nth signal, or fails the test.
func send(t *testing.T, s sluice.Inbox, id sluice.DeploymentID, n int) sluice.LetterID {
	t.Helper()
	letter, err := s.Send(context.Background(), id, signal(n))
	must(t, err)
	return letter
}

func wantLetters(t *testing.T, s sluice.Inbox, id sluice.DeploymentID, want ...sluice.Letter) {
	t.Helper()
	got, err := s.Letters(context.Background(), id)
	must(t, err)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("letters of %s (-want +got):\n%s", id, diff)
	}
}

func wantAnswer(t *testing.T, s sluice.Inbox, letter sluice.LetterID, want sluice.Answer) {
	t.Helper()
	got, err := s.Answer(endedContext(), letter)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("answer to letter %d (-want +got):\n%s", letter, diff)
	}
}

func inboxKeeps(t *testing.T, open Open) {
	a, b := pair(t, open)
	ctx := context.Background()
	must(t, a.Append(ctx, "d1", 0, started("shop", 0)))
	must(t, a.Append(ctx, "d2", 0, started("blog", 0)))
	wantLetters(t, a, "d1")
	wantLetters(t, a, "unknown")
	first, second, other := send(t, a, "d1", 1), send(t, b, "d1", 2), send(t, a, "d2", 3)
	if !(0 < first && first < second && second < other) {
		t.Fatalf("letters are numbered %d, %d, %d", first, second, other)
	}
	wantLetters(t, b, "d1", sluice.Letter{ID: first, Signal: signal(1)}, sluice.Letter{ID: second, Signal: signal(2)})
	must(t, b.Append(ctx, "d1", 1, received(1, first)))
	wantLetters(t, a, "d1", sluice.Letter{ID: second, Signal: signal(2)})
	wantLetters(t, a, "d2", sluice.Letter{ID: other, Signal: signal(3)})
	wantLog(t, a, "d1", started("shop", 0), received(1, first))
}

func inboxRefusesSending(t *testing.T, open Open) {
	s, ctx := fresh(t, open), context.Background()
	_, err := s.Send(ctx, "unknown", signal(1))
	wantCode(t, err, sluice.NotFound)
	must(t, s.Append(ctx, "d1", 0, started("shop", 0)))
	_, err = s.Send(endedContext(), "d1", signal(1))
	wantCode(t, err, sluice.Cancelled)
	must(t, s.Append(ctx, "d1", 1, ended(sluice.StatusFailed, 1)))
	_, err = s.Send(ctx, "d1", signal(1))
	wantCode(t, err, sluice.Conflict)
	wantLetters(t, s, "d1")
}

func inboxRefuses(t *testing.T, open Open) {
	a, b := pair(t, open)
	ctx := context.Background()
	must(t, a.Append(ctx, "d1", 0, started("shop", 0)))
	letter := send(t, a, "d1", 1)
	wantAnswer(t, a, letter, sluice.Answer{})
	why := sluice.Failure{Code: sluice.Denied, Message: "you may not", Hint: "ask \"ana\""}
	must(t, b.Refuse(ctx, letter, why))
	must(t, b.Refuse(ctx, letter, sluice.Failure{Code: sluice.Conflict, Message: "too late"}))
	wantAnswer(t, a, letter, sluice.Answer{Settled: true, Refusal: &why})
	wantLetters(t, a, "d1")
	wantCode(t, a.Append(ctx, "d1", 1, received(1, letter)), sluice.Conflict)
	wantCode(t, a.Refuse(ctx, letter+1, why), sluice.NotFound)
	for _, ctx := range []context.Context{ctx, endedContext()} {
		_, err := a.Answer(ctx, letter+1)
		wantCode(t, err, sluice.NotFound)
	}
}

func inboxSettlesOnce(t *testing.T, open Open) {
	a, b := pair(t, open)
	ctx := context.Background()
	must(t, a.Append(ctx, "d1", 0, started("shop", 0)))
	must(t, a.Append(ctx, "d2", 0, started("blog", 0)))
	first, second := send(t, a, "d1", 1), send(t, a, "d1", 2)
	must(t, a.Append(ctx, "d1", 1, received(1, first)))
	wantAnswer(t, b, first, sluice.Answer{Settled: true})
	must(t, b.Refuse(ctx, first, sluice.Failure{Code: sluice.Conflict}))
	wantAnswer(t, b, first, sluice.Answer{Settled: true})
	for _, events := range [][]sluice.Event{{received(2, first)}, {received(2, second), received(2, first)},
		{received(2, second), received(2, second)}, {received(2, 99)}} {
		wantCode(t, b.Append(ctx, "d1", 2, events...), sluice.Conflict)
	}
	wantCode(t, a.Append(ctx, "d2", 1, received(2, second)), sluice.Conflict)
	wantCode(t, a.Append(ctx, "d1", 1, received(2, second)), sluice.Conflict)
	wantAnswer(t, b, second, sluice.Answer{})
	must(t, b.Append(ctx, "d1", 2, received(2, second), progressed(3)))
	wantLog(t, a, "d1", started("shop", 0), received(1, first), received(2, second), progressed(3))
}

func inboxConcurrent(t *testing.T, open Open) {
	a, b := pair(t, open)
	ctx := context.Background()
	must(t, a.Append(ctx, "d1", 0, started("shop", 0)))
	letter := send(t, a, "d1", 1)
	var won atomic.Int32
	inParallel(func(i int) {
		for after := sluice.Seq(1); after < 3; after++ {
			switch err := []sluice.Store{a, b}[i%2].Append(ctx, "d1", after, received(1, letter)); sluice.ErrorCode(err) {
			case "":
				won.Add(1)
			case sluice.Conflict:
			default:
				t.Error(err)
			}
		}
	})
	if won.Load() != 1 {
		t.Errorf("the letter was settled %d times", won.Load())
	}
	wantLog(t, b, "d1", started("shop", 0), received(1, letter))
}

func inboxAnswers(t *testing.T, open Open) {
	a, b := pair(t, open)
	must(t, a.Append(context.Background(), "d1", 0, started("shop", 0)))
	short, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	letters := make([]sluice.LetterID, appenders)
	for i := range letters {
		letters[i] = send(t, a, "d1", i)
	}
	if answer, err := a.Answer(short, letters[0]); err != nil || answer.Settled {
		t.Fatalf("before it is settled the answer is %+v, %v", answer, err)
	}
	ctx := soon(t)
	go func() {
		for i, letter := range letters {
			expect(t, b.Append(ctx, "d1", sluice.Seq(i+1), received(i, letter)))
		}
	}()
	inParallel(func(i int) {
		if answer, err := []sluice.Store{a, b}[i%2].Answer(ctx, letters[i]); err != nil || !answer.Settled {
			t.Errorf("the answer is %+v, %v", answer, err)
		}
	})
}

func inboxArrivals(t *testing.T, open Open) {
	a, b := pair(t, open)
	ctx, cancel := context.WithCancel(soon(t))
	defer cancel()
	for i := range 4 {
		must(t, a.Append(ctx, deployment(i), 0, started(application(i), 0)))
	}
	settled := send(t, a, deployment(0), 0)
	must(t, a.Refuse(ctx, settled, sluice.Failure{Code: sluice.Conflict}))
	send(t, a, deployment(1), 0)
	next := 1
	for id, err := range a.Arrivals(ctx) {
		must(t, err)
		if id != deployment(next) {
			t.Fatalf("a letter to %s arrives, want %s", id, deployment(next))
		}
		if next++; next == 4 {
			cancel()
			continue
		}
		send(t, []sluice.Store{b, a}[next%2], deployment(next), 0)
	}
	if next != 4 {
		t.Errorf("%d letters arrived", next-1)
	}
}

// inboxArrivalsConcurrent sends one letter to each deployment. A follower that has seen a letter must not have passed
// one that was sent at the same time.
func inboxArrivalsConcurrent(t *testing.T, open Open) {
	a, b := pair(t, open)
	const each = 10
	for i := range appenders * each {
		must(t, a.Append(context.Background(), deployment(i), 0, started(application(i), 0)))
	}
	ctx, cancel := context.WithCancel(soon(t))
	defer cancel()
	go inParallel(func(i int) {
		for n := range each {
			_, err := []sluice.Store{a, b}[i%2].Send(ctx, deployment(i*each+n), signal(n))
			expect(t, err)
		}
	})
	arrived := map[sluice.DeploymentID]bool{}
	for id, err := range b.Arrivals(ctx) {
		must(t, err)
		if arrived[id] = true; len(arrived) == appenders*each {
			cancel()
		}
	}
	if len(arrived) != appenders*each {
		t.Errorf("letters to %d deployments arrived, want %d", len(arrived), appenders*each)
	}
}

func inboxProcess(t *testing.T, open Open) {
	if dir := os.Getenv(processDir); dir != "" {
		s := open(t, dir)
		letter := send(t, s, "d1", 1)
		answer, err := s.Answer(soon(t), letter)
		must(t, err)
		say(t, fmt.Sprintf("%d %s", letter, answer.Refusal.Message))
		must(t, s.Close())
		return
	}
	dir := t.TempDir()
	s, ctx := opened(t, open, dir), soon(t)
	must(t, s.Append(ctx, "d1", 0, started("shop", 0)))
	p := spawn(t, dir)
	for id, err := range s.Arrivals(ctx) {
		must(t, err)
		letters, err := s.Letters(ctx, id)
		must(t, err)
		must(t, s.Refuse(ctx, letters[0].ID, sluice.Failure{Code: sluice.Denied, Message: "no"}))
		if line, _ := p.hear(); line != fmt.Sprintf("%d no", letters[0].ID) {
			t.Errorf("the sender was told %q: %s", line, p.output.String())
		}
		break
	}
}

// inboxKilled kills processes that apply letters as fast as they can.
func inboxKilled(t *testing.T, open Open) {
	if dir := os.Getenv(processDir); dir != "" {
		applyLetters(t, open(t, dir), soon(t))
		return
	}
	const rounds, each = 3, 20
	dir := t.TempDir()
	s, ctx := opened(t, open, dir), soon(t)
	must(t, s.Append(ctx, "d1", 0, started("shop", 0)))
	for round := range rounds {
		for n := range each { // the last process may have applied all before it was killed
			send(t, s, "d1", n)
		}
		p := spawn(t, dir)
		for range 5 + round {
			if _, ok := p.hear(); !ok {
				t.Fatalf("the process ended: %s", p.output.String())
			}
		}
		p.kill()
	}
	stop, cancel := context.WithCancel(ctx)
	cancel()
	applyLetters(t, s, stop)
	times := map[sluice.LetterID]int{}
	for _, e := range read(t, s, "d1", 1) {
		times[e.Letter]++
	}
	if len(times) != rounds*each {
		t.Errorf("%d letters were applied, want %d", len(times), rounds*each)
	}
	for letter, n := range times {
		if n != 1 {
			t.Errorf("letter %d was applied %d times", letter, n)
		}
	}
}

// applyLetters leases d1, records its letters and says so after each. Once ctx has ended it stops when none is left.
func applyLetters(t *testing.T, s sluice.Store, ctx context.Context) {
	t.Helper()
	leaseOfKilled(t, s, "d1")
	after := sluice.Seq(len(read(t, s, "d1", 0)))
	for {
		letters, err := s.Letters(context.Background(), "d1")
		must(t, err)
		for i, l := range letters {
			must(t, s.Append(context.Background(), "d1", after, received(i, l.ID)))
			after++
			if os.Getenv(processDir) != "" {
				say(t, "applied")
			}
		}
		if len(letters) == 0 && ctx.Err() != nil {
			return
		}
	}
}

func inboxReopened(t *testing.T, open Open) {
	ctx, dir := context.Background(), t.TempDir()
	s := open(t, dir)
	must(t, s.Append(ctx, "d1", 0, started("shop", 0)))
	refused, taken, open2 := send(t, s, "d1", 1), send(t, s, "d1", 2), send(t, s, "d1", 3)
	why := sluice.Failure{Code: sluice.Denied, Message: "no"}
	must(t, s.Refuse(ctx, refused, why))
	must(t, s.Append(ctx, "d1", 1, received(2, taken)))
	must(t, s.Close())
	s = opened(t, open, dir)
	wantLetters(t, s, "d1", sluice.Letter{ID: open2, Signal: signal(3)})
	wantAnswer(t, s, refused, sluice.Answer{Settled: true, Refusal: &why})
	wantAnswer(t, s, taken, sluice.Answer{Settled: true})
	if next := send(t, s, "d1", 4); next <= open2 {
		t.Errorf("letter %d follows %d", next, open2)
	}
}
