package step_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/steptest"
)

func calling(w sluice.Webhook) sluice.StepSpec {
	return sluice.StepSpec{Kind: sluice.KindRunWebhook,
		RunWebhook: &sluice.RunWebhook{Name: w.Name, Context: map[string]string{"suite": "smoke"}, Webhook: &w}}
}

func callbacks(id sluice.DeploymentID, s sluice.StepID) (string, error) {
	return "http://sluice:1/callbacks/" + string(id) + "/" + string(s) + "/hush", nil
}

func TestWebhookSendsWhatIsWritten(t *testing.T) {
	var got *http.Request
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		got, body = r, string(raw)
	}))
	defer server.Close()
	b := newBench().add("after/0", calling(sluice.Webhook{
		Name: "tests", Method: "put", URITemplate: server.URL + "/{{armory.environmentName}}/{{context.color}}",
		Headers: []sluice.Header{{Key: "Authorization", Value: "token {{secrets.token}}"},
			{Key: "Host", Value: "{{armory.environmentName}}.example.com"}},
		Body: `{"suite": "{{ context.suite }}", "back": "{{armory.callbackUri}}/callback"} # <not escaped>`,
	}))
	b.deps.Callbacks = callbacks
	p := b.mustRun(t, "after/0")
	if got.Method != "PUT" || got.URL.Path != "/production/blue" || got.Header.Get("Authorization") != "token s3cret" ||
		got.Header.Get("Idempotency-Key") != "d1/production/after/0" || got.Host != "production.example.com" {
		t.Errorf("got %s %s %s %v", got.Method, got.Host, got.URL, got.Header)
	}
	back := "http://sluice:1/callbacks/d1/production/after/0/hush/callback"
	if want := `{"suite": "smoke", "back": "` + back + `"} # <not escaped>`; body != want {
		t.Errorf("got %s\nwant %s", body, want)
	}
	if p.State != sluice.Waiting || !p.Wait.Until.Equal(noon.Add(24*time.Hour)) ||
		p.Wait.Callback != "http://sluice:1/callbacks/d1/production/after/0" {
		t.Errorf("it waits for %+v", p.Wait)
	}
}

func TestWebhookCallbacks(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	for name, test := range map[string]struct {
		reason string
		signal *sluice.Signal
		code   sluice.Code
		says   string
	}{
		"success": {"success goes on with its message", &sluice.Signal{Kind: sluice.SignalCallback, Success: true,
			Reason: "all 12 passed"}, "", "all 12 passed"},
		"failure": {"no success fails with its message", &sluice.Signal{Kind: sluice.SignalCallback, Reason: "2 failed"},
			sluice.Failed, "2 failed"},
		"silence": {"a lost callback ends at the deadline", nil, sluice.Failed, "did not call back within 1m"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench().add("after/0", calling(sluice.Webhook{Name: "tests", URITemplate: server.URL}))
			b.plan.Steps[0].RunWebhook.Timeout = time.Minute
			b.deps.Callbacks = callbacks
			p := b.mustRun(t, "after/0")
			b.now = b.now.Add(time.Minute)
			if test.signal != nil {
				p.Signals = []sluice.Signal{*test.signal}
			}
			p, err := b.must(t, "after/0").Observe(t.Context(), p)
			text := p.Message
			if err != nil {
				text = err.Error()
			}
			if sluice.ErrorCode(err) != test.code || !strings.Contains(text, test.says) {
				t.Errorf("%s: got %q (%s)", test.reason, text, sluice.ErrorCode(err))
			}
		})
	}
}

// A receiver may be quicker than the record of the call: after a crash there it is not called again.
func TestWebhookIsNotCalledAgainAfterItsCallback(t *testing.T) {
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls++ }))
	defer server.Close()
	b := newBench().add("after/0", calling(sluice.Webhook{Name: "tests", URITemplate: server.URL}))
	b.deps.Callbacks = callbacks
	p, err := b.must(t, "after/0").Start(t.Context(),
		sluice.Progress{Signals: []sluice.Signal{{Kind: sluice.SignalCallback, Success: true}}})
	if err != nil || p.State != sluice.Done || calls != 0 {
		t.Errorf("got %v, %v, %d calls", p.State, err, calls)
	}
}

func TestWebhookFailures(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/401":
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, r.URL.RawQuery)
		case "/503":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/204":
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	defer server.Close()
	for name, test := range map[string]struct {
		reason string
		uri    string
		code   sluice.Code
		says   string
	}{
		"status": {"a refusal fails and is named", server.URL + "/401?key={{secrets.token}}", sluice.Failed,
			"answered 401"},
		"204":     {"every 2xx is success", server.URL + "/204", "", ""},
		"busy":    {"without retryCount one refusal is enough", server.URL + "/503", sluice.Failed, "answered 503"},
		"refused": {"no connection fails", "http://127.0.0.1:1/{{secrets.token}}", sluice.Failed, "refused"},
		"no host": {"what the secret makes of a URL is not told", "http://ci:{{secrets.token}}/4@127.0.0.1",
			sluice.Invalid, "not an http"},
		"no URL": {"what is no URL is the file's fault", "{{secrets.token}}", sluice.Invalid, "not an http"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench().add("after/0", calling(sluice.Webhook{Name: "tests", URITemplate: test.uri, DisableCallback: true}))
			p, err := b.run(t, "after/0")
			if sluice.ErrorCode(err) != test.code || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Fatalf("%s: got %v", test.reason, err)
			}
			if err == nil && p.State != sluice.Done {
				t.Errorf("%s: got %s", test.reason, p.State)
			}
			if err != nil && strings.Contains(err.Error()+sluice.ErrorHint(err), "s3cret") {
				t.Errorf("the error holds a secret: %v", err)
			}
		})
	}
}

func TestWebhookTimeoutIsItsOwn(t *testing.T) {
	for name, test := range map[string]struct {
		own    time.Duration
		answer time.Duration
		code   sluice.Code
	}{
		"longer than the client's":  {3 * time.Minute, 2 * time.Minute, ""},
		"shorter than the client's": {10 * time.Second, 20 * time.Second, sluice.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench().add("after/0", calling(sluice.Webhook{Name: "tests", URITemplate: "http://x",
					DisableCallback: true, Timeout: test.own}))
				b.deps.HTTP = &http.Client{Timeout: time.Minute,
					Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
						select {
						case <-time.After(test.answer):
							return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
						case <-r.Context().Done():
							return nil, r.Context().Err()
						}
					})}
				if _, err := b.run(t, "after/0"); sluice.ErrorCode(err) != test.code {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestWebhookReplaceAndAgent(t *testing.T) {
	var host string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		host = r.Host + r.URL.Path
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	for name, test := range map[string]struct {
		hook sluice.Webhook
		want string
	}{
		"replaced": {sluice.Webhook{URITemplate: "https://api.example.org/v1/run"}, address + "/run"},
		"service": {sluice.Webhook{URITemplate: "http://tests:8080/run", NetworkMode: "remoteNetworkAgent"},
			"tests:8080/run"},
		"other's": {sluice.Webhook{URITemplate: "http://tests.qa.svc/run", NetworkMode: "remoteNetworkAgent",
			AgentIdentifier: "other"}, "tests.qa.svc/run"},
		"no service": {sluice.Webhook{URITemplate: server.URL + "/run", NetworkMode: "remoteNetworkAgent"},
			address + "/run"},
		"direct of old": {sluice.Webhook{URITemplate: server.URL + "/run"}, address + "/run"},
	} {
		t.Run(name, func(t *testing.T) {
			test.hook.DisableCallback = true
			b := newBench().add("after/0", calling(test.hook))
			other := steptest.NewAccount()
			other.SetAddress("qa", "tests", 80, address)
			b.deps.Accounts["other"] = other.Abilities()
			b.account.SetAddress(namespace, "tests", 8080, address)
			b.deps.Replace = map[string]string{"https://api.example.org": "http://127.0.0.1:1",
				"https://api.example.org/v1": server.URL}
			b.mustRun(t, "after/0")
			if host != test.want {
				t.Errorf("called %s, want %s", host, test.want)
			}
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
