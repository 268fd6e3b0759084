package mover_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover"
)

// scripted is a mover whose calls return the errors in turn, then succeed.
type scripted struct {
	errs    []error
	calls   []string
	reports []sluice.Amount
	every   time.Duration
}

func (s *scripted) next(call string) error {
	s.calls = append(s.calls, call)
	if len(s.calls) > len(s.errs) {
		return nil
	}
	return s.errs[len(s.calls)-1]
}

func (s *scripted) Begin(context.Context, sluice.Transfer) error { return s.next("begin") }

func (s *scripted) Follow(_ context.Context, t sluice.Transfer, report func(sluice.Amount)) (sluice.Copy, error) {
	for _, a := range s.reports {
		report(a)
		time.Sleep(s.every)
	}
	return sluice.Copy{Snapshots: []string{t.ID}}, s.next("follow")
}

func (s *scripted) Find(context.Context, sluice.Transfer) (sluice.Copy, bool, error) {
	return sluice.Copy{}, true, s.next("find")
}

func (s *scripted) Cancel(context.Context, sluice.Transfer) error { return s.next("cancel") }

func (s *scripted) Delete(context.Context, sluice.Place, string) error { return s.next("delete") }

func TestRetry(t *testing.T) {
	away, broken := sluice.Errorf(sluice.Unavailable, "away"), sluice.Errorf(sluice.Failed, "broken")
	for name, c := range map[string]struct {
		errs  []error
		calls int
		err   error
	}{
		"works":                {nil, 1, nil},
		"comes back":           {[]error{away, away}, 3, nil},
		"stays away":           {[]error{away, away, away, away}, 4, away},
		"breaks":               {[]error{broken}, 1, broken},
		"comes back and broke": {[]error{away, broken}, 2, broken},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for verb, call := range map[string]func(sluice.Mover) error{
					"begin":  func(m sluice.Mover) error { return m.Begin(t.Context(), sluice.Transfer{}) },
					"cancel": func(m sluice.Mover) error { return m.Cancel(t.Context(), sluice.Transfer{}) },
					"delete": func(m sluice.Mover) error { return m.Delete(t.Context(), sluice.Place{}, "id") },
					"find": func(m sluice.Mover) error {
						_, done, err := m.Find(t.Context(), sluice.Transfer{})
						if !done {
							t.Error("what was found is lost")
						}
						return err
					},
				} {
					s := &scripted{errs: c.errs}
					if err := call(mover.Retry(s, pauses)); !errors.Is(err, c.err) || len(s.calls) != c.calls {
						t.Errorf("%s: %v after %q, want %v after %d calls", verb, err, s.calls, c.err, c.calls)
					}
				}
			})
		})
	}
}

var pauses = []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}

// An outage that each try takes long to notice ends no later than one that each try notices at once.
func TestRetryCountsTheTimeOfTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away, began := sluice.Errorf(sluice.Unavailable, "away"), time.Now()
		s := &slow{scripted{errs: slices.Repeat([]error{away}, 100)}}
		if err := mover.Retry(s, mover.DefaultPauses).Begin(t.Context(), sluice.Transfer{}); !errors.Is(err, away) {
			t.Error(err)
		}
		if took := time.Since(began); took > 40*time.Second || len(s.calls) != 2 {
			t.Errorf("%d tries took %s", len(s.calls), took)
		}
	})
}

// slow takes ten seconds for each call.
type slow struct{ scripted }

func (s *slow) Begin(ctx context.Context, t sluice.Transfer) error {
	time.Sleep(10 * time.Second)
	return s.scripted.Begin(ctx, t)
}

// Work that ended is not under way any more: to follow it again would not help.
func TestRetryBeginsAgainWhatEnded(t *testing.T) {
	away := sluice.Errorf(sluice.Unavailable, "away")
	for name, c := range map[string]struct {
		errs  []error
		calls []string
		err   error
	}{
		"works":                 {nil, []string{"follow"}, nil},
		"ends and works":        {[]error{away}, []string{"follow", "begin", "follow"}, nil},
		"cannot be begun again": {[]error{away, away}, []string{"follow", "begin", "begin", "follow"}, nil},
		"stays away": {
			[]error{away, nil, away, nil, away, nil, away},
			[]string{"follow", "begin", "follow", "begin", "follow", "begin", "follow"}, away,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &scripted{errs: c.errs}
				got, err := mover.Retry(s, pauses).Follow(t.Context(), sluice.Transfer{ID: "id"}, func(sluice.Amount) {})
				if !errors.Is(err, c.err) || err == nil && got.Snapshots[0] != "id" {
					t.Errorf("got %+v, %v", got, err)
				}
				if diff := cmp.Diff(c.calls, s.calls); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestRetryEndsWithItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := sluice.Errorf(sluice.Unavailable, "away")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s := &scripted{errs: []error{away, away, away}}
		m := mover.Retry(s, []time.Duration{time.Second, time.Hour})
		if err := m.Delete(ctx, sluice.Place{}, "id"); !errors.Is(err, away) || len(s.calls) != 2 {
			t.Errorf("%v after %q", err, s.calls)
		}
	})
}

func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{every: 30 * time.Millisecond}
		for i := range 10 {
			s.reports = append(s.reports, sluice.Amount{Done: int64(i)})
		}
		var got []int64
		report := func(a sluice.Amount) { got = append(got, a.Done) }
		m := mover.Limit(s, 100*time.Millisecond)
		if _, err := m.Follow(t.Context(), sluice.Transfer{}, report); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]int64{0, 4, 8, 9}, got); diff != "" {
			t.Errorf("the first, one in 100 ms, and the last:\n%s", diff)
		}
		if _, err := m.Follow(t.Context(), sluice.Transfer{}, nil); err != nil {
			t.Errorf("without a report: %v", err)
		}
	})
}
