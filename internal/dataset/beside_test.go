package dataset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

// A recorder is Jobs and databases that write down how they are used.
type recorder struct {
	log     []string
	without bool  // the place has no Jobs
	fail    error // of the Job
	server  sluice.Server
	refusal error // of the server
}

func (r *recorder) note(format string, args ...any) {
	r.log = append(r.log, fmt.Sprintf(format, args...))
}

func (r *recorder) Open(_ context.Context, at sluice.Place, key string) (map[string]sluice.Databases, func(), error) {
	if r.without || r.fail != nil {
		return nil, nil, r.fail
	}
	r.note("begin %s/%s", at.Namespace, key)
	return map[string]sluice.Databases{"mongodb": opener{r, "beside"}}, func() { r.note("leave") }, nil
}

func (r *recorder) Hold(_ context.Context, at sluice.Place, key string) (map[string]sluice.Databases, func(), error) {
	if r.without || r.fail != nil {
		return nil, nil, r.fail
	}
	r.note("hold %s/%s", at.Namespace, key)
	return map[string]sluice.Databases{"mongodb": opener{r, "beside"}}, func() { r.note("leave") }, nil
}

func (r *recorder) End(ctx context.Context, at sluice.Place, key string) error {
	r.note("end %s/%s", at.Namespace, key)
	return ctx.Err()
}

type opener struct {
	*recorder
	where string
}

func (o opener) Open(_ context.Context, uri string, _ sluice.Dial) (sluice.Database, error) {
	o.note("open %s %s", uri, o.where)
	return closing{o.recorder}, nil
}

type closing struct{ *recorder }

func (c closing) Fingerprint(
	context.Context, []sluice.Invariant, func(sluice.Amount),
) (sluice.Fingerprint, error) {
	return sluice.Fingerprint{}, nil
}

func (c closing) Compare(
	context.Context, sluice.Fingerprint, sluice.Database, sluice.Fingerprint, int,
) (sluice.Comparison, error) {
	return sluice.Comparison{}, nil
}

func (c closing) Describe(context.Context) (sluice.Server, error) { return c.server, c.refusal }

func (c closing) Close(context.Context) error { c.note("close"); return nil }

// TestDatabasesAreReadBesideThem: in a Job where the place has Jobs, which always ends, and here otherwise.
func TestDatabasesAreReadBesideThem(t *testing.T) {
	broken := errors.New("it broke")
	whole := []string{"begin shop/k", "open db beside", "close", "leave"}
	for name, test := range map[string]struct {
		with   recorder
		use    error
		cancel bool
		want   []string
		err    error
	}{
		"in a Job":              {want: whole},
		"after a failure":       {use: broken, err: broken, want: whole},
		"after it is cancelled": {cancel: true, want: whole},
		"a place without Jobs":  {with: recorder{without: true}, want: []string{"open db here", "close"}},
		"no Job starts":         {with: recorder{fail: broken}, err: broken, want: []string{"end shop/k"}},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		r := &test.with
		d := Dataset{
			Tools: Tools{Databases: map[string]sluice.Databases{"mongodb": opener{r, "here"}}, Beside: r},
			Spec:  sluice.Dataset{Engine: "mongodb"}, Place: sluice.Place{Namespace: "shop"}, Key: "k",
			URI: func(context.Context) (string, error) { return "db", nil },
		}
		err := d.with(ctx, func(sluice.Database) error {
			if test.cancel {
				cancel()
			}
			return test.use
		})
		cancel()
		if diff := cmp.Diff(test.want, r.log); diff != "" || !errors.Is(err, test.err) {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestCheckUpgradeRefusesOnlyWhatIsCertain(t *testing.T) {
	away := sluice.Errorf(sluice.Unavailable, "nobody answers")
	unable := sluice.Errorf(sluice.Unsupported, "no version")
	for name, test := range map[string]struct {
		with  recorder
		image string
		code  sluice.Code
		note  string
	}{
		"certain":      {recorder{server: sluice.Server{Version: "6.0.1", Format: "6.0"}}, "mongo:8.0", sluice.Invalid, ""},
		"worth a note": {recorder{server: sluice.Server{Version: "6.0.1", Format: "6.0"}}, "mongo:7.0", "", "restoreData"},
		"a patch":      {recorder{server: sluice.Server{Version: "6.0.1", Format: "6.0"}}, "mongo:6.0.3", "", ""},
		"away":         {recorder{refusal: away}, "mongo:8.0", "", "nobody answers"},
		"unable":       {recorder{refusal: unable}, "mongo:8.0", "", ""},
		"no image":     {recorder{}, "", "", ""},
	} {
		r := &test.with
		d := Dataset{
			Tools: Tools{Databases: map[string]sluice.Databases{"mongodb": opener{r, "here"}}, Beside: r},
			Spec:  sluice.Dataset{Name: "orders", Engine: "mongodb"}, Target: "staging",
			URI: func(context.Context) (string, error) { return "db", nil },
		}
		note, err := d.CheckUpgrade(t.Context(), test.image)
		if sluice.ErrorCode(err) != test.code || !strings.Contains(note, test.note) || test.note == "" && note != "" {
			t.Errorf("%s: %q, %v", name, note, err)
		}
		if slices.ContainsFunc(r.log, func(line string) bool { return strings.HasPrefix(line, "begin") }) {
			t.Errorf("%s: a plan starts no Job: %v", name, r.log)
		}
	}
}
