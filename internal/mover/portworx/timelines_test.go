package portworx_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

const moving = "Volume migration has started. Backup in progress. BytesDone: 40 BytesTotal: 100 ETA: 9 seconds"

// every10s repeats what Stork does every ten seconds.
func every10s(times int, act func(*lab)) func(*lab) {
	return func(l *lab) {
		for range times {
			after(10*time.Second, act)(l)
		}
	}
}

func both(status, reason string) []any {
	return []any{vol("orders", status, reason), vol("journal", status, reason)}
}

// The time lines that Stork's controller was seen to take. Whatever it calls a run, only a whole success passes, and
// everything else ends within the deadline and leaves both clusters as they were.
func TestTimelines(t *testing.T) {
	start := becomes("Volumes", "Pending")
	run := becomes("Volumes", "InProgress", both("InProgress", moving)...)
	objects := becomes("Applications", "InProgress", both("Successful", "done")...)
	success := becomes("Final", "Successful", both("Successful", "done")...)
	partly := becomes("Final", "PartialSuccess", both("Successful", "done")...)
	forever := 200 // times ten seconds are more than half an hour
	tests := map[string]struct {
		tale tale
		want string        // of the error; "": it succeeds
		says string        // of the progress
		took time.Duration // at most

		stays bool // what somebody else made meanwhile
	}{
		"both volumes are moved": {
			tale: tale{start, run, after(16*time.Second, becomes("Volumes", "InProgress", vol("orders", "Successful", "done"),
				vol("journal", "InProgress", moving))), after(14*time.Second, objects), brings("orders", "journal"),
				after(2*time.Second, success)},
			says: "1 of 2 volumes moved", took: time.Minute,
		},
		"one volume fails, and Stork waits for the other": {
			tale: tale{run, after(16*time.Second, becomes("Volumes", "InProgress", vol("orders", "Successful", "done"),
				vol("journal", "Failed", "no space left in pool"))),
				after(4*time.Hour, becomes("Final", "Failed"))},
			want: "journal is Failed (no space left in pool); moved are the volumes pv-orders", took: time.Minute,
		},
		"the driver cannot start": {
			tale: tale{start, warns(forever, "cloudsnap: no object store")},
			want: "nothing has moved for 10m0s: it is in stage Volumes, Pending; Stork warns: cloudsnap: no object store (",
			says: "Stork warns: cloudsnap: no object store (2 times)", took: 11 * time.Minute,
		},
		"the driver cannot start at first": {
			tale: tale{start, warns(30, "cloudsnap: no object store"), run, after(30*time.Second, objects),
				brings("orders", "journal"), success},
			says: "Stork warns: cloudsnap: no object store (30 times)", took: 7 * time.Minute,
		},
		"the pair loses its storage": {
			tale: tale{start, warns(forever, "Cluster pair stage is not ready")},
			want: "Stork warns: Cluster pair stage is not ready (", took: 11 * time.Minute,
		},
		"the pair disappears": {
			tale: tale{becomes("Applications", ""), warns(forever, `clusterpairs "stage" not found`)},
			want: `nothing has moved for 10m0s: it is in stage Applications, without a status; Stork warns: clusterpairs ` +
				`"stage" not found (`, took: 11 * time.Minute,
		},
		"the namespace is not allowed": {
			tale: tale{becomes("", ""), warns(forever, "namespace shop is not allowed")},
			want: "nothing has moved for 10m0s: Stork has not started it; Stork warns: namespace shop is not allowed (",
			took: 11 * time.Minute,
		},
		"nothing matches": {
			tale: tale{becomes("Final", "Successful")},
			want: "it ended as Successful but moved nothing", took: time.Minute,
		},
		"one claim does not match": {
			tale: tale{becomes("Final", "Successful", vol("orders", "Successful", "done"))},
			want: "it ended as Successful, but journal was not moved; moved are the volumes pv-orders", took: time.Minute,
		},
		"a foreign claim matches too": {
			tale: tale{brings("orders", "journal"),
				becomes("Final", "Successful", append(both("Successful", "done"), vol("other", "Successful", "done"))...)},
			want: "it ended as Successful, but shop/other was moved as well", took: time.Minute,
		},
		"a volume cannot be created, and the failure is overwritten": {
			tale: tale{objects, after(20*time.Second, partly)},
			want: "it ended as PartialSuccess", took: time.Minute,
		},
		"a claim at the destination is in use": {
			tale: tale{objects, after(146*time.Second, partly)},
			want: "it ended as PartialSuccess", took: 3 * time.Minute,
		},
		"a claim at the destination is never bound": {
			tale: tale{objects, warns(forever, "claim is not bound")},
			want: "nothing has moved for 10m0s: it is in stage Applications, InProgress, 2 of 2 volumes moved; Stork warns: " +
				"claim is not bound (", took: 11 * time.Minute,
		},
		"the StorageClass is missing": {
			tale: tale{objects, warns(forever, "StorageClass not found")},
			want: "Stork warns: StorageClass not found (", took: 11 * time.Minute,
		},
		"a trivial run takes long": {
			tale: tale{start, after(76*time.Second, objects), brings("orders", "journal"), success}, took: 2 * time.Minute,
		},
		"it says that it is done, but the claims are not there": {
			tale: tale{success},
			want: "Stork says that it moved everything, but the claim orders in shop of stage: it does not exist",
			took: 11 * time.Minute,
		},
		"the claim is one that somebody else made": {
			tale: tale{func(l *lab) {
				if _, _, err := l.stage.Apply(context.Background(), claimIn("orders", "pv-x", "helm", nil), false); err != nil {
					l.Error(err)
				}
			}, success, after(20*time.Minute, func(*lab) {})},
			want: "the claim orders in shop of stage: it did not come by this move", took: 11 * time.Minute, stays: true,
		},
		"it moves for ever": {
			tale: tale{run, every10s(forever*3, func(l *lab) {
				l.prod.Amend(migration(), func(o sluice.Object) {
					v := o.List("status", "volumes")[0]
					v.Set(int64(v.Number(0, "bytesTotal")+1), "bytesTotal")
				})
			})},
			want: "it has not ended within 1h0m0s", took: 61 * time.Minute,
		},
		"somebody deletes it": {
			tale: tale{run, after(time.Minute, func(l *lab) { _ = l.prod.Delete(context.Background(), migration()) })},
			want: "somebody deleted it", took: 2 * time.Minute,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, map[string]any{"app": "mongo"})
				before := l.state()
				was := l.check()
				go l.play(t.Context(), test.tale)
				began := time.Now()
				err := l.run(was)
				if took := time.Since(began); took > test.took {
					t.Errorf("it took %s", took)
				}
				if test.says != "" && !l.heard(test.says) {
					t.Errorf("it did not say %q but:\n%s", test.says, strings.Join(l.said, "\n"))
				}
				if test.want == "" {
					if err != nil {
						t.Fatal(err)
					}
					l.succeeded(was)
					return
				}
				if sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(err.Error(), test.want) {
					t.Errorf("it ended with %v, want %s", err, test.want)
				}
				if err := l.undo(was); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(before, l.state()); diff != "" && !test.stays {
					t.Errorf("undo left:\n%s", diff)
				}
			})
		})
	}
}

// succeeded tests that the previous volume is there until Finish, and nothing else is left after it.
func (l *lab) succeeded(was sluice.Moving) {
	l.Helper()
	if old := l.get(l.stage, volume("pv-old")); old == nil {
		l.Error("the previous volume is gone before the target is committed")
	}
	if err := l.migrator().Finish(l.Context(), l.move, was); err != nil {
		l.Fatal(err)
	}
	l.finished()
}

// finished tests that only what was moved is left.
func (l *lab) finished() {
	l.Helper()
	synctest.Wait() // the controllers are done
	for _, ref := range []sluice.Ref{volume("pv-old"), migration()} {
		if l.get(l.stage, ref) != nil || l.get(l.prod, ref) != nil {
			l.Errorf("%s is left", ref)
		}
	}
	if now := l.get(l.stage, claim("orders")); now.Text("spec", "volumeName") != "pv-orders" {
		l.Errorf("the claim is %v", now)
	}
}

func TestAmount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, map[string]any{"app": "mongo"})
		was := l.check()
		go l.play(t.Context(), tale{
			becomes("Volumes", "InProgress", vol("orders", "Successful", "done"), vol("journal", "InProgress", moving)),
			after(time.Second, becomes("Final", "Failed")),
		})
		if err := l.run(was); err == nil {
			t.Error("it succeeded")
		}
		if want := (sluice.Amount{Unit: "bytes", Done: 140, Total: 200}); len(l.amounts) == 0 || l.amounts[0] != want {
			t.Errorf("it reported %v", l.amounts)
		}
	})
}
