package mover_test

import (
	"context"
	"errors"
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
	calls   int
	reports []sluice.Amount
	every   time.Duration
}

func (s *scripted) next() error {
	s.calls++
	if s.calls > len(s.errs) {
		return nil
	}
	return s.errs[s.calls-1]
}

func (s *scripted) Copy(_ context.Context, id sluice.CheckpointID, _ []sluice.Volume, report func(sluice.Amount)) (sluice.Copy, error) {
	for _, a := range s.reports {
		report(a)
		time.Sleep(s.every)
	}
	return sluice.Copy{Snapshots: []string{string(id)}}, s.next()
}

func (s *scripted) Restore(context.Context, sluice.Copy, []sluice.Volume, func(sluice.Amount)) error {
	return s.next()
}

func (s *scripted) Verify(context.Context, sluice.Copy, func(sluice.Amount)) error { return s.next() }

func (s *scripted) Delete(context.Context, sluice.Copy) error { return s.next() }

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
					"copy": func(m sluice.Mover) error {
						got, err := m.Copy(t.Context(), "id", nil, func(sluice.Amount) {})
						if err == nil && got.Snapshots[0] != "id" {
							t.Error("the copy is lost")
						}
						return err
					},
					"restore": func(m sluice.Mover) error { return m.Restore(t.Context(), sluice.Copy{}, nil, nil) },
					"verify":  func(m sluice.Mover) error { return m.Verify(t.Context(), sluice.Copy{}, nil) },
					"delete":  func(m sluice.Mover) error { return m.Delete(t.Context(), sluice.Copy{}) },
				} {
					s := &scripted{errs: c.errs}
					pauses := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}
					if err := call(mover.Retry(s, pauses)); !errors.Is(err, c.err) || s.calls != c.calls {
						t.Errorf("%s: %v after %d calls, want %v after %d", verb, err, s.calls, c.err, c.calls)
					}
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
		if err := mover.Retry(s, []time.Duration{time.Second, time.Hour}).Delete(ctx, sluice.Copy{}); !errors.Is(err, away) || s.calls != 2 {
			t.Errorf("%v after %d calls", err, s.calls)
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
		_, err := mover.Limit(s, 100*time.Millisecond).Copy(t.Context(), "id", nil, func(a sluice.Amount) { got = append(got, a.Done) })
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]int64{0, 4, 8, 9}, got); diff != "" {
			t.Errorf("the first, one in 100 ms, and the last:\n%s", diff)
		}
		if _, err := mover.Limit(s, time.Second).Copy(t.Context(), "id", nil, nil); err != nil {
			t.Errorf("without a report: %v", err)
		}
	})
}
