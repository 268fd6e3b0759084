package step_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
)

// received is what a receiver got.
type received struct{ method, body, secret, kind, referer string }

func receiver(got *received) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*got = received{r.Method, string(body), r.Header.Get("X-Token") + r.Header.Get("Authorization"),
			r.Header.Get("Content-Type"), r.Header.Get("Referer")}
	})
}

// hookTo is a webhook with secrets in its headers.
func hookTo(uri, method, body string) sluice.Webhook {
	return sluice.Webhook{Name: "tests", URITemplate: uri, Method: method, Body: body, DisableCallback: true,
		Headers: []sluice.Header{{Key: "X-Token", Value: "{{secrets.token}}"}, {Key: "Authorization", Value: "me"},
			{Key: "Content-Type", Value: "text/x"}}}
}

func TestWebhookRedirects(t *testing.T) {
	var got received
	mux := http.NewServeMux()
	mux.Handle("/", receiver(&got))
	for path, status := range map[string]int{"/301": 301, "/302": 302, "/303": 303, "/307": 307, "/308": 308} {
		mux.Handle(path, http.RedirectHandler("/final", status))
	}
	mux.Handle("/round", http.RedirectHandler("/round", http.StatusTemporaryRedirect))
	server := httptest.NewServer(mux)
	defer server.Close()
	var away received
	elsewhere := httptest.NewServer(receiver(&away))
	defer elsewhere.Close()
	mux.Handle("/away", http.RedirectHandler(elsewhere.URL+"/x?key=hush", http.StatusTemporaryRedirect))
	host := strings.TrimPrefix(server.URL, "http://")
	kept := received{"POST", "body", "s3cretme", "text/x", ""}
	for name, test := range map[string]struct {
		path, method, body string
		got, away          received
		says               string
	}{
		"301":                      {"/301", "", "body", received{}, received{}, "301, a redirect to " + host + " that"},
		"302":                      {"/302", "", "body", received{}, received{}, "302, a redirect to " + host + " that"},
		"303":                      {"/303", "PUT", "", received{}, received{}, "answers 303"},
		"302 of a GET":             {"/302", "GET", "", received{"GET", "", "s3cretme", "", ""}, received{}, ""},
		"302 of a GET with a body": {"/302", "GET", "body", received{}, received{}, "answers 302"},
		"307":                      {"/307", "", "body", kept, received{}, ""},
		"308":                      {"/308", "", "body", kept, received{}, ""},
		"round":                    {"/round", "", "body", received{}, received{}, "redirects more than 10 times"},
		"another host":             {"/away", "", "body", received{}, received{"POST", "body", "", "text/x", ""}, ""},
		"another host, secret body": {"/away", "", "{{secrets.token}}", received{}, received{},
			"must not get the secret in the body"},
	} {
		t.Run(name, func(t *testing.T) {
			got, away = received{}, received{}
			b := newBench().add("after/0", calling(hookTo(server.URL+test.path, test.method, test.body)))
			_, err := b.run(t, "after/0")
			if got != test.got || away != test.away {
				t.Errorf("got %+v and %+v; want %+v and %+v", got, away, test.got, test.away)
			}
			if (err == nil) != (test.says == "") || err != nil && (!strings.Contains(err.Error(), test.says) ||
				sluice.ErrorCode(err) != sluice.Failed || sluice.ErrorHint(err) == "") {
				t.Errorf("got %v (%s), want it to say %q", err, sluice.ErrorHint(err), test.says)
			}
			if err != nil && strings.Contains(err.Error(), "hush") {
				t.Errorf("the error shows the query: %v", err)
			}
		})
	}
}

func TestWebhookStaysEncrypted(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+"/", http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	b := newBench().add("after/0", calling(sluice.Webhook{Name: "tests", URITemplate: server.URL, DisableCallback: true}))
	b.deps.HTTP = server.Client()
	if _, err := b.run(t, "after/0"); sluice.ErrorCode(err) != sluice.Failed ||
		!strings.Contains(err.Error(), "without encryption") {
		t.Errorf("got %v", err)
	}
}

// A redirect from a Service to another host does not go through the account's cluster.
func TestWebhookLeavesTheAgentWithTheRedirect(t *testing.T) {
	var away received
	elsewhere := httptest.NewServer(receiver(&away))
	defer elsewhere.Close()
	service := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer service.Close()
	hook := hookTo("http://tests:8080/run", "", "body")
	hook.NetworkMode = "remoteNetworkAgent"
	b := newBench().add("after/0", calling(hook))
	b.account.SetAddress(namespace, "tests", 8080, strings.TrimPrefix(service.URL, "http://"))
	b.mustRun(t, "after/0")
	if want := (received{"POST", "body", "", "text/x", ""}); away != want {
		t.Errorf("got %+v, want %+v", away, want)
	}
}

func TestWebhookWritesValuesForTheirPlace(t *testing.T) {
	var got *http.Request
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		got, body = r, string(raw)
	}))
	defer server.Close()
	const value = "say \"hi\"\n& more"
	for contentType, test := range map[string]struct{ body, want string }{
		"application/json":                  {`{"text": "{{context.said}}"}`, `{"text": "say \"hi\"\n& more"}`},
		"":                                  {`{"text": "{{context.said}}"}`, `{"text": "say \"hi\"\n& more"}`},
		"application/x-www-form-urlencoded": {`text={{context.said}}`, `text=say%20%22hi%22%0A%26%20more`},
		"text/plain":                        {`{{context.said}}`, value},
	} {
		b := newBench().add("after/0", calling(sluice.Webhook{Name: "tests", DisableCallback: true, Body: test.body,
			URITemplate: server.URL + "/?said={{context.said}}",
			Headers:     []sluice.Header{{Key: "content-type", Value: contentType}}}))
		b.plan.Context["said"] = value
		b.mustRun(t, "after/0")
		if body != test.want || got.URL.Query().Get("said") != value {
			t.Errorf("%s: got %s at %s, want %s", contentType, body, got.URL, test.want)
		}
	}
	b := newBench().add("after/0", calling(sluice.Webhook{Name: "tests", DisableCallback: true, URITemplate: server.URL,
		Headers: []sluice.Header{{Key: "X-Said", Value: "{{context.said}}"}}}))
	b.plan.Context["said"] = value
	if _, err := b.run(t, "after/0"); sluice.ErrorCode(err) != sluice.Invalid ||
		!strings.Contains(err.Error(), "{{context.said}}") {
		t.Errorf("a header with a line end gave %v", err)
	}
}
