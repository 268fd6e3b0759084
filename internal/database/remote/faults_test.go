package remote_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/beside"
	"github.com/sluice-cd/sluice/internal/besidetest"
	"github.com/sluice-cd/sluice/internal/database/remote"
)

// An engine is one whose databases do as the test says.
type engine struct {
	mu         sync.Mutex
	locks      int
	unlockable error
	lives      int // of the Job's processes
	opened     int
	begun      chan struct{} // gets a value when a fingerprint has begun
	ended      chan error    // gets why it ended
}

func newEngine() *engine { return &engine{begun: make(chan struct{}, 9), ended: make(chan error, 9)} }

func (e *engine) Open(_ context.Context, uri string, _ sluice.Dial) (sluice.Database, error) {
	if strings.Contains(uri, "refused") {
		return nil, sluice.Errorf(sluice.Denied, "the login %s is refused", uri).WithHint("another login than %s", uri)
	}
	e.count(&e.opened, 1)
	return &opened{engine: e, life: e.count(&e.lives, 0)}, nil
}

func (e *engine) count(n *int, by int) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	*n += by
	return *n
}

type opened struct {
	*engine
	locked bool
	life   int
}

// isDead reports whether the process of the Job was killed.
func (o *opened) isDead() bool { return o.life != o.count(&o.lives, 0) }

// Fingerprint reads until it is stopped.
func (o *opened) Fingerprint(
	ctx context.Context, _ []sluice.Invariant, report func(sluice.Amount),
) (sluice.Fingerprint, error) {
	report(sluice.Amount{Unit: "rows", Done: 7})
	o.begun <- struct{}{}
	<-ctx.Done()
	o.ended <- ctx.Err()
	return sluice.Fingerprint{}, ctx.Err()
}

func (o *opened) Compare(
	context.Context, sluice.Fingerprint, sluice.Database, sluice.Fingerprint, int,
) (sluice.Comparison, error) {
	return sluice.Comparison{}, nil
}

func (o *opened) Lockable(context.Context) error { return o.unlockable }

func (o *opened) Lock(context.Context, time.Duration) error {
	o.locked = true
	o.count(&o.locks, 1)
	return nil
}

func (o *opened) Unlock(context.Context) error {
	if !o.isDead() && o.count(&o.locks, 0) > 0 {
		o.locked = false
		o.count(&o.locks, -1)
	}
	return nil
}

func (o *opened) Close(ctx context.Context) error {
	o.count(&o.opened, -1)
	var err error
	if o.locked {
		err = o.Unlock(ctx)
	}
	o.ended <- nil
	return err
}

func open(t *testing.T, databases sluice.Databases) sluice.Database {
	t.Helper()
	db, err := databases.Open(t.Context(), "test://shop/orders", nil)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func TestTheEndOfACallEndsTheWork(t *testing.T) {
	e := newEngine()
	s := session(t, map[string]sluice.Databases{"test": e}, remote.Inside)
	db := open(t, remote.New(s, "test", "shop"))
	<-e.ended // opening closes
	for want, stop := range map[sluice.Code]func(cancel func()){
		sluice.Cancelled:   func(cancel func()) { cancel() },
		sluice.Unavailable: func(func()) { s.Close() }, // breaks the connection
	} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := db.Fingerprint(ctx, nil, func(a sluice.Amount) {
			if a.Done != 7 {
				t.Errorf("reported %+v", a)
			}
			<-e.begun
			stop(cancel)
		})
		cancel()
		if sluice.ErrorCode(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
		if err := <-e.ended; err == nil {
			t.Errorf("%s: the work went on", want)
		}
		if err := <-e.ended; err != nil || e.count(&e.opened, 0) != 0 {
			t.Errorf("%s: the database stays open", want)
		}
	}
}

func TestAnErrorKeepsCodeAndHintButNoSecret(t *testing.T) {
	s := session(t, map[string]sluice.Databases{"test": newEngine()}, remote.Inside)
	_, err := remote.New(s, "test", "shop").Open(t.Context(), "test://me:opensesame@refused/orders", nil)
	if sluice.ErrorCode(err) != sluice.Denied || !strings.Contains(err.Error(), "is refused") ||
		!strings.Contains(sluice.ErrorHint(err), "another login") {
		t.Errorf("%v, hint %q", err, sluice.ErrorHint(err))
	}
	if strings.Contains(err.Error()+sluice.ErrorHint(err), "sesame") {
		t.Errorf("the password is in %v, hint %q", err, sluice.ErrorHint(err))
	}
	_, err = remote.New(s, "other", "shop").Open(t.Context(), "other://shop/orders", nil)
	if sluice.ErrorCode(err) != sluice.Unsupported {
		t.Errorf("an engine that the Job does not know: %v", err)
	}
}

// What the engine cannot do is Unsupported, as if it were asked here.
func TestAbilitiesThatTheEngineDoesNotHave(t *testing.T) {
	s := session(t, map[string]sluice.Databases{"test": newEngine()}, remote.Inside)
	db := open(t, remote.New(s, "test", "shop"))
	_, masked := db.(sluice.Masker).Mask(t.Context(), nil, nil, nil)
	_, described := db.(sluice.Describer).Describe(t.Context())
	_, ignored := db.(sluice.Ignorer).Ignoring([]string{"x"}).Fingerprint(t.Context(), nil, nil)
	for what, err := range map[string]error{"mask": masked, "describe": described, "ignore": ignored} {
		if sluice.ErrorCode(err) != sluice.Unsupported {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestALockEndsWithItsCallOrItsConnection(t *testing.T) {
	e := newEngine()
	s := session(t, map[string]sluice.Databases{"test": e}, remote.Inside)
	db := open(t, remote.New(s, "test", "shop"))
	<-e.ended
	locker := db.(sluice.Locker)
	lock := func() {
		t.Helper()
		if err := locker.Lock(t.Context(), time.Minute); err != nil || e.count(&e.locks, 0) != 1 {
			t.Fatalf("locked %d times: %v", e.count(&e.locks, 0), err)
		}
		<-e.ended // it was asked before whether it can be locked
	}
	lock()
	if err := locker.Lock(t.Context(), time.Minute); sluice.ErrorCode(err) != sluice.Conflict {
		t.Errorf("a second lock: %v", err)
	}
	if err := locker.Unlock(t.Context()); err != nil || e.count(&e.locks, 0) != 0 {
		t.Errorf("locked %d times: %v", e.count(&e.locks, 0), err)
	}
	<-e.ended
	lock()
	s.Close()
	<-e.ended // the Job has closed the database
	if n := e.count(&e.locks, 0); n != 0 {
		t.Errorf("locked %d times although the connection broke", n)
	}
	if err := locker.Unlock(t.Context()); sluice.ErrorCode(err) != sluice.Unavailable {
		t.Errorf("unlock after the connection broke: %v", err)
	}
	<-e.ended
	lock()
	if err := db.Close(t.Context()); err != nil || e.count(&e.locks, 0) != 0 {
		t.Errorf("locked %d times after it was closed: %v", e.count(&e.locks, 0), err)
	}
}

// A killed Job ends no lock. The next pod does, or the next process of Sluice, whatever it comes for.
func TestTheLockOfAKilledJobEnds(t *testing.T) {
	for name, next := range map[string]func(context.Context, remote.Jobs, sluice.Place) error{
		"it is wanted again": func(ctx context.Context, j remote.Jobs, at sluice.Place) error {
			_, leave, err := j.Hold(ctx, at, "one")
			if err == nil {
				leave()
			}
			return err
		},
		"it is ended": func(ctx context.Context, j remote.Jobs, at sluice.Place) error { return j.End(ctx, at, "one") },
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine()
			c := besidetest.New(t, func(besidetest.Pod) http.Handler {
				mux := http.NewServeMux()
				remote.Offer(mux, map[string]sluice.Databases{"test": e}, remote.Inside)
				return mux
			})
			jobs := remote.Jobs{Bench: c.Bench(beside.Options{}), Engines: []string{"test"},
				CanRun: func(string) bool { return true }}
			by, leave, err := jobs.Hold(t.Context(), c.Place("shop"), "one")
			if err != nil {
				t.Fatal(err)
			}
			defer leave()
			locker := open(t, by["test"]).(sluice.Locker)
			if err := locker.Lock(t.Context(), time.Minute); err != nil || e.count(&e.locks, 0) != 1 {
				t.Fatalf("locked %d times: %v", e.count(&e.locks, 0), err)
			}
			e.count(&e.lives, 1)
			c.Kill()
			if n := e.count(&e.locks, 0); n != 1 {
				t.Fatalf("a killed Job ended the lock: %d", n)
			}
			if err := next(t.Context(), jobs, c.Place("shop")); err != nil || e.count(&e.locks, 0) != 0 {
				t.Errorf("locked %d times: %v", e.count(&e.locks, 0), err)
			}
			if err := jobs.End(t.Context(), c.Place("shop"), "one"); err != nil {
				t.Error(err)
			}
			if left, err := c.List(t.Context(), "v1", "Secret", "shop"); err != nil || len(left) > 0 {
				t.Errorf("left over: %v, %v", left, err)
			}
		})
	}
}

// A lock that cannot be made leaves nothing that would end the lock of somebody else.
func TestALockThatIsRefusedKeepsNothing(t *testing.T) {
	e := newEngine()
	e.unlockable = sluice.Errorf(sluice.Conflict, "somebody makes a backup")
	e.locks = 1
	c := besidetest.New(t, func(besidetest.Pod) http.Handler {
		mux := http.NewServeMux()
		remote.Offer(mux, map[string]sluice.Databases{"test": e}, remote.Inside)
		return mux
	})
	jobs := remote.Jobs{Bench: c.Bench(beside.Options{}), Engines: []string{"test"},
		CanRun: func(string) bool { return true }}
	for range 2 {
		by, leave, err := jobs.Hold(t.Context(), c.Place("shop"), "one")
		if err != nil {
			t.Fatal(err)
		}
		err = open(t, by["test"]).(sluice.Locker).Lock(t.Context(), time.Minute)
		if sluice.ErrorCode(err) != sluice.Conflict || e.count(&e.locks, 0) != 1 {
			t.Errorf("locked %d times: %v", e.count(&e.locks, 0), err)
		}
		leave()
	}
	if err := jobs.End(t.Context(), c.Place("shop"), "one"); err != nil || e.count(&e.locks, 0) != 1 {
		t.Errorf("locked %d times: %v", e.count(&e.locks, 0), err)
	}
}

// TestJobs: a Job is found again by its key, each key and namespace has its own, and nothing is left at the end.
func TestJobs(t *testing.T) {
	e := newEngine()
	c := besidetest.New(t, func(besidetest.Pod) http.Handler {
		mux := http.NewServeMux()
		remote.Offer(mux, map[string]sluice.Databases{"test": e}, remote.Inside)
		return mux
	})
	jobs := remote.Jobs{Bench: c.Bench(beside.Options{}), Engines: []string{"test"},
		CanRun: func(account string) bool { return account == "cluster" }}
	use := func(at sluice.Place, key string) (leave func()) {
		t.Helper()
		by, leave, err := jobs.Open(t.Context(), at, key)
		if err != nil {
			t.Fatal(err)
		}
		open(t, by["test"])
		return leave
	}
	for i, key := range []string{"one", "one", "two"} {
		leave := use(c.Place("shop"), key)
		if i > 0 { // the first process was killed
			defer leave()
		}
		if want := []int{1, 1, 2}[i]; c.Made() != want {
			t.Errorf("%d Jobs were made, want %d", c.Made(), want)
		}
	}
	use(c.Place("scratch"), "one")()
	for _, namespace := range []string{"shop", "scratch"} {
		for _, key := range []string{"one", "two", "never"} {
			if err := jobs.End(t.Context(), c.Place(namespace), key); err != nil {
				t.Error(err)
			}
		}
	}
	for _, kind := range []string{"batch/v1 Job", "v1 Secret", "v1 Service", "v1 Pod"} {
		apiVersion, kind, _ := strings.Cut(kind, " ")
		if left, err := c.List(t.Context(), apiVersion, kind, ""); err != nil || len(left) > 0 || c.Made() != 3 {
			t.Errorf("%d Jobs were made; %v is left, %v", c.Made(), left, err)
		}
	}
	by, _, err := jobs.Open(t.Context(), sluice.Place{Name: "laptop"}, "one")
	if by != nil || err != nil || jobs.End(t.Context(), sluice.Place{Name: "laptop"}, "one") != nil {
		t.Errorf("an account without Jobs: %v, %v", by, err)
	}
}
