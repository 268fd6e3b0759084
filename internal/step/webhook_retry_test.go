package step_test

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/sluice-cd/sluice"
)

// A reply is an answer of a receiver, or the error of the call, and how long the step then waits at least and at most.
type reply struct {
	status     int
	retryAfter string
	body       io.Reader
	err        error
	from, to   time.Duration
}

func dial(err error) error { return &net.OpError{Op: "dial", Err: err} }

func TestWebhookRetries(t *testing.T) {
	refused := reply{err: dial(errors.New("connection refused")), to: time.Second}
	for name, test := range map[string]struct {
		reason  string
		retries int
		timeout time.Duration
		replies []reply
		calls   int
		code    sluice.Code
		says    string
	}{
		"third time": {"a connection that is made is enough", 2, 0, []reply{refused, {err: refused.err, to: 2 * time.Second},
			{status: 204}}, 3, "", "accepted"},
		"never": {"the count bounds it", 1, 0, []reply{refused, refused, {status: 204}}, 2, sluice.Failed,
			"connection refused; it was called 2 times"},
		"broken": {"a connection that ends early may have been a restart", 2, 0, []reply{{err: io.EOF, to: time.Second},
			{err: syscall.ECONNRESET, to: 2 * time.Second}, {status: 204}}, 3, "", "accepted"},
		"half an answer": {"an accepted call is not repeated because its answer breaks", 2, 0, []reply{{status: 200,
			body: iotest.ErrReader(io.ErrUnexpectedEOF)}}, 1, "", "accepted"},
		"silent": {"silence is no refusal", 2, 0, []reply{{err: context.DeadlineExceeded}}, 1, sluice.Failed,
			"no answer within 30s"},
		"503": {"a busy receiver is asked again", 1, 0, []reply{{status: 503, to: time.Second}, {status: 200}}, 2, "", ""},
		"429": {"as it wants", 1, 0, []reply{{status: 429, retryAfter: "7", from: 7 * time.Second, to: 8 * time.Second},
			{status: 200}}, 2, "", ""},
		"502 date": {"also with a date", 1, 0, []reply{{status: 502,
			retryAfter: noon.Add(9 * time.Second).Format(http.TimeFormat),
			from:       9 * time.Second, to: 10 * time.Second}, {status: 200}}, 2, "", ""},
		"504 for ever": {"but not for ever", 1, 0, []reply{{status: 504, retryAfter: "99999999999", from: 5 * time.Minute,
			to: 5*time.Minute + time.Second}, {status: 200}}, 2, "", ""},
		"in the past": {"a date in the past is now", 1, 0, []reply{{status: 503,
			retryAfter: noon.Format(http.TimeFormat), to: time.Second}, {status: 200}}, 2, "", ""},
		"too late": {"the step's timeout bounds it", 9, 5 * time.Second, []reply{{status: 503, retryAfter: "7"}}, 1,
			sluice.Failed, "answered 503"},
		"not found":    {"other answers are answers", 3, 0, []reply{{status: 404}}, 1, sluice.Failed, "answered 404"},
		"server error": {"a defect of the receiver too", 3, 0, []reply{{status: 500}}, 1, sluice.Failed, "answered 500"},
		"certificate": {"a certificate does not become right", 3, 0, []reply{{err: x509.UnknownAuthorityError{}}}, 1,
			sluice.Failed, "unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench().add("after/0", calling(sluice.Webhook{Name: "tests", URITemplate: "http://x",
				DisableCallback: true, RetryCount: test.retries}))
			b.plan.Steps[0].RunWebhook.Timeout = test.timeout
			calls, keys := 0, map[string]bool{}
			b.deps.HTTP = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				given := test.replies[calls]
				calls++
				keys[r.Header.Get("Idempotency-Key")] = true
				if given.err != nil {
					return nil, given.err
				}
				return &http.Response{StatusCode: given.status, Body: io.NopCloser(cmp.Or(given.body, io.Reader(http.NoBody))),
					Header: http.Header{"Retry-After": {given.retryAfter}}}, nil
			})}
			p, err := b.must(t, "after/0").Start(t.Context(), sluice.Progress{})
			for err == nil && p.State == sluice.Waiting {
				want := test.replies[calls-1]
				if waits := p.Wait.Until.Sub(b.now); waits < want.from || waits > want.to {
					t.Errorf("%s: it waits %s, want %s to %s", test.reason, waits, want.from, want.to)
				}
				early, err2 := b.must(t, "after/0").Observe(t.Context(), p)
				if err2 != nil || p.Wait.Until.After(b.now) && early.State != sluice.Waiting {
					t.Fatalf("%s: before its time it gave %+v, %v", test.reason, early, err2)
				}
				if early.State != sluice.Waiting {
					p = early // it waited no time
					break
				}
				b.now = p.Wait.Until
				p, err = b.must(t, "after/0").Observe(t.Context(), p)
			}
			text := p.Message
			if err != nil {
				text = err.Error()
			}
			if sluice.ErrorCode(err) != test.code || calls != test.calls || !strings.Contains(text, test.says) ||
				len(keys) != 1 {
				t.Errorf("%s: got %q, %v after %d calls with the keys %v; want %q after %d", test.reason, text, err, calls, keys,
					test.code, test.calls)
			}
		})
	}
}

// A webhook that accepts a call although it answers 503 may call back before the next call.
func TestWebhookCallsBackBetweenCalls(t *testing.T) {
	b := newBench().add("after/0", calling(sluice.Webhook{Name: "tests", URITemplate: "http://x", RetryCount: 1}))
	b.deps.Callbacks = callbacks
	b.deps.HTTP = &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusServiceUnavailable, Body: http.NoBody}, nil
	})}
	p, err := b.must(t, "after/0").Start(t.Context(), sluice.Progress{})
	if err != nil || p.State != sluice.Waiting || p.Wait.Callback == "" ||
		!strings.Contains(p.Message, "before retry 1 of 1") {
		t.Fatalf("got %+v, %v", p, err)
	}
	p.Signals = []sluice.Signal{{Kind: sluice.SignalCallback, Success: true, Reason: "done"}}
	if p, err = b.must(t, "after/0").Observe(t.Context(), p); err != nil || p.State != sluice.Done {
		t.Errorf("got %+v, %v", p, err)
	}
}

// The number of calls is recorded: a crash does not begin anew.
func TestWebhookCountsCallsBeforeACrash(t *testing.T) {
	calls := 0
	b := newBench().add("after/0", calling(sluice.Webhook{Name: "tests", URITemplate: "http://x", DisableCallback: true,
		RetryCount: 2}))
	b.deps.HTTP = &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		calls++
		return &http.Response{StatusCode: http.StatusServiceUnavailable, Body: http.NoBody}, nil
	})}
	p, err := b.must(t, "after/0").Start(t.Context(), sluice.Progress{})
	for err == nil {
		b.now = p.Wait.Until
		recorded := p
		if p, err = b.must(t, "after/0").Observe(t.Context(), recorded); calls == 2 {
			p, err = recorded, nil // the process died before this call was recorded
		}
	}
	if calls != 4 || sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(err.Error(), "it was called 3 times") {
		t.Errorf("got %d calls, %v", calls, err)
	}
}

// A webhook that accepts a later call has the whole time to call back, and is not called again at its end.
func TestWebhookThatAcceptsALaterCallMayBeSilent(t *testing.T) {
	answers := []int{503, 204, 204}
	calls := 0
	b := newBench().add("after/0", calling(sluice.Webhook{Name: "tests", URITemplate: "http://x", RetryCount: 5}))
	b.deps.Callbacks = callbacks
	b.deps.HTTP = &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		calls++
		return &http.Response{StatusCode: answers[calls-1], Body: http.NoBody}, nil
	})}
	p, err := b.must(t, "after/0").Start(t.Context(), sluice.Progress{})
	for err == nil {
		kept := p.Data
		b.now = p.Wait.Until
		if p, err = b.must(t, "after/0").Observe(t.Context(), p); p.Data == nil {
			p.Data = kept // as the engine keeps it
		}
	}
	if calls != 2 || !strings.Contains(err.Error(), "did not call back within 24h") || b.now.Sub(noon) < 24*time.Hour {
		t.Errorf("got %d calls, %v after %s", calls, err, b.now.Sub(noon))
	}
}
