package notify_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/notify"
)

// hostile is what somebody writes who wants to wake up everybody, or to lead readers elsewhere.
const hostile = "<!channel> <https://evil.example|click> @here *bold* &lt; \u202e\x1b[31m\r\nBcc: all@example.com"

// hostileLife is a deployment in which everything that people write is hostile.
func hostileLife(w *world) {
	e := started(hostile)
	e.Actor.Name = hostile
	failed := stepEvent(sluice.StepFailed, "staging")
	failed.Failure = &sluice.Failure{Code: sluice.Failed, Message: hostile, Hint: hostile}
	sig := sluice.Signal{
		Kind: sluice.SignalReject, Step: "staging/before/0", By: sluice.Actor{Name: hostile}, Reason: hostile,
	}
	wait := waits("staging")
	wait.Progress.Message, wait.Progress.Wait.Roles = hostile, []string{hostile}
	w.append("a", e, stepEvent(sluice.StepStarting, "staging"), wait,
		sluice.Event{Kind: sluice.SignalReceived, Signal: &sig}, failed, ended(sluice.StatusFailed))
}

func TestSlackShowsTextsAsTheyAre(t *testing.T) {
	w, to := newWorld(t), newReceiver(t)
	hostileLife(w)
	receiver := config.Receiver{
		Name: "slack", Events: sluice.NotificationKinds, Slack: &config.SlackReceiver{Address: config.Source{Env: "URL"}},
	}
	r := w.reader(receiver)
	r.Sender = notify.NewSender(receiver, outside(map[string]string{"URL": to.URL + "/services/T0/B0/key\n"}))
	w.known("slack")
	stop := w.run(r)
	taken := to.wait(t, 5)
	stop()
	for _, q := range taken {
		var m struct {
			Text   string
			Blocks []struct {
				Type     string
				Text     *struct{ Type, Text string }
				Elements []struct{ Type, Text string }
			}
		}
		if err := json.Unmarshal(q.body, &m); err != nil {
			t.Fatal(err)
		}
		link := "<" + address + "/deployments/a|Open the deployment>"
		own := strings.Replace(m.Text, link, "", 1)
		if own == m.Text || strings.ContainsAny(own, "<>\u202e\x1b\r") || strings.Contains(own, "@here") {
			t.Errorf("the text is %q", m.Text)
		}
		for _, b := range m.Blocks {
			if b.Text != nil && b.Text.Type != "plain_text" {
				t.Errorf("%q is not plain", b.Text.Text)
			}
			if b.Type == "header" && len([]rune(b.Text.Text)) > 150 {
				t.Errorf("the header has %d characters", len([]rune(b.Text.Text)))
			}
			for _, e := range b.Elements {
				if e.Text != link {
					t.Errorf("%q is not the link", e.Text)
				}
			}
		}
	}
}

// Who knows the address may post, so it is in no error.
func TestTheAddressOfSlackStaysSecret(t *testing.T) {
	receiver := config.Receiver{Name: "slack", Slack: &config.SlackReceiver{Address: config.Source{Env: "URL"}}}
	astray := newReceiver(t)
	astray.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://%zz"+r.RequestURI)
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	for _, url := range []string{
		astray.URL + "/services/hush?hush",
		"http://127.0.0.1:1/services/hush", "http://[::1/hush", "hush", "https://hush.invalid/hush", "ftp://example.com/hush",
	} {
		s := notify.NewSender(receiver, outside(map[string]string{"URL": url}))
		err := s.Send(t.Context(), notify.Test(receiver, "test", epoch, address))
		if err == nil || strings.Contains(strings.ReplaceAll(err.Error(), "hush.invalid", ""), "hush") {
			t.Errorf("%s: %v", url, err)
		}
	}
}
