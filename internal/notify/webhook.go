package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
)

// A Webhook posts CloudEvents, signed as the Standard Webhooks say: the receiver can prove that they come from here,
// are complete and are not older than it tolerates. It implements [Sender].
type Webhook struct {
	caller
	to   config.HookReceiver
	read func(config.Source) (string, error)
	now  func() time.Time
	from string // the address of the server
}

// Outside is what senders need of the process that they run in.
type Outside struct {
	Client  *http.Client                        // for webhooks
	Read    func(config.Source) (string, error) // a secret; it is read at each attempt, so that a new one counts at once
	Now     func() time.Time
	Address string // of the server
}

// NewSender returns the sender for the receiver.
func NewSender(to config.Receiver, o Outside) Sender {
	switch {
	case to.Webhook != nil:
		return &Webhook{newCaller(o.Client, "webhook "+to.Name), *to.Webhook, o.Read, o.Now, o.Address}
	case to.Slack != nil:
		return &Slack{newCaller(o.Client, "Slack receiver "+to.Name), *to.Slack, o.Read}
	}
	return &Email{*to.Email, "mail server of " + to.Name, o.Read, o.Address}
}

// Send implements [Sender].
func (w *Webhook) Send(ctx context.Context, n Notification) error {
	address, key, err := w.secrets()
	if err != nil {
		return err
	}
	event, err := w.event(n)
	if err != nil {
		return err
	}
	at := strconv.FormatInt(w.now().Unix(), 10)
	return w.post(ctx, address, http.Header{
		"Content-Type":      {"application/cloudevents+json; charset=utf-8"},
		"User-Agent":        {"sluice"},
		"Webhook-Id":        {n.ID},
		"Webhook-Timestamp": {at},
		"Webhook-Signature": {"v1," + signature(key, n.ID, at, event)},
	}, event)
}

// event returns the body in the format of the receiver.
func (w *Webhook) event(n Notification) ([]byte, error) {
	if w.to.Format == config.FormatCDEvents {
		if event, ok, err := cdEvent(n, w.from); ok || err != nil {
			return event, err
		}
	}
	return cloudEvent(n, w.from)
}

// secrets returns the address and the key.
func (w *Webhook) secrets() (address string, key []byte, err error) {
	if address = w.to.URL; address == "" {
		if address, err = w.read(w.to.Address); err != nil {
			return "", nil, err
		}
	}
	text, err := w.read(w.to.Secret)
	if err == nil {
		key, err = hookKey(text)
	}
	return strings.TrimSpace(address), key, err
}

// minKey and maxKey bound keys, in bytes, as the Standard Webhooks do.
const (
	minKey = 24
	maxKey = 64
)

// hookKey returns the key in a secret.
func hookKey(text string) ([]byte, error) {
	encoded, prefixed := strings.CutPrefix(strings.TrimSpace(text), "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !prefixed || err != nil || len(key) < minKey || len(key) > maxKey {
		return nil, sluice.Errorf(sluice.Invalid, "the secret of the webhook is not whsec_ and %d to %d bytes in base64",
			minKey, maxKey).WithHint("make one with: %s", config.MakeHookSecret)
	}
	return key, nil
}

// signature signs an event and the time of the attempt.
func signature(key []byte, id, at string, body []byte) string {
	h := hmac.New(sha256.New, key)
	fmt.Fprintf(h, "%s.%s.%s", id, at, body)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// Check implements [Sender].
func (w *Webhook) Check() error {
	_, _, err := w.secrets()
	return err
}
