package dataset

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

// A filling is volumes and a mover that write down how they are used.
type filling struct {
	sluice.Volumes
	sluice.Mover
	log    []string
	volume sluice.Volume // that Stage returns
	ends   []error       // how the restores end
}

func (f *filling) Stage(context.Context, sluice.Object, string, string) (sluice.Volume, error) {
	f.log = append(f.log, "stage")
	return f.volume, nil
}

func (f *filling) Discard(context.Context, string, string, string) error {
	f.log = append(f.log, "discard")
	return nil
}

func (f *filling) Begin(context.Context, sluice.Transfer) error { return nil }

func (f *filling) Follow(context.Context, sluice.Transfer, func(sluice.Amount)) (c sluice.Copy, err error) {
	f.log = append(f.log, "restore")
	err, f.ends = f.ends[0], f.ends[1:]
	return c, err
}

// TestWhatARestoreLeftIsKept: a volume is discarded only if the mover cannot go on with it.
func TestWhatARestoreLeftIsKept(t *testing.T) {
	here := sluice.Volume{Dir: "here"}
	full := sluice.Errorf(sluice.Conflict, "the volume is full")
	away := sluice.Errorf(sluice.Unavailable, "the mover is away")
	for name, test := range map[string]struct {
		volume sluice.Volume
		ends   []error
		want   []string
		code   sluice.Code
	}{
		"empty or half filled": {volume: here, ends: []error{nil}, want: []string{"stage", "restore"}},
		"interrupted": {
			volume: here, ends: []error{away}, want: []string{"stage", "restore"}, code: sluice.Unavailable,
		},
		"full": {
			volume: here, ends: []error{full, nil}, want: []string{"stage", "restore", "discard", "stage", "restore"},
		},
		"full for good": {
			volume: here, ends: []error{full, full}, want: []string{"stage", "restore", "discard", "stage", "restore"},
			code: sluice.Conflict,
		},
		"in use":         {volume: sluice.Volume{Dir: "here", Current: true}, want: []string{"stage"}},
		"used meanwhile": {want: []string{"stage", "discard", "stage"}, code: sluice.Conflict},
	} {
		f := &filling{volume: test.volume, ends: slices.Clone(test.ends)}
		d := Dataset{
			Place: sluice.Place{Account: sluice.Account{Volumes: f}, Namespace: "shop"},
			Tools: Tools{Movers: map[string]sluice.Mover{"kopia": f}}, Report: func(sluice.Progress) {},
		}
		c := sluice.Checkpoint{Copy: sluice.Copy{Mover: "kopia", Claims: []string{"data"}}}
		err := d.stage(t.Context(), c, []sluice.Object{{}}, "swap", "restoring")
		if diff := cmp.Diff(test.want, f.log); diff != "" || (err == nil) != (test.code == "") ||
			err != nil && sluice.ErrorCode(err) != test.code {
			t.Errorf("%s: %v, %s", name, err, diff)
		}
	}
}
