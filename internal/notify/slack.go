package notify

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
)

// A Slack posts messages as incoming webhooks of Slack take them; Mattermost and others take them too. It implements
// [Sender].
type Slack struct {
	caller
	to   config.SlackReceiver
	read func(config.Source) (string, error)
}

// maxHeader is how many characters the header of a message has, at most.
const maxHeader = 150

// A block is a part of a message. Texts are plain, so nothing in them is a link, a mention or a format.
type block struct {
	Type     string      `json:"type"`
	Text     *slackText  `json:"text,omitempty"`
	Elements []slackText `json:"elements,omitempty"`
}

type slackText struct {
	Type  string `json:"type"`
	Text  string `json:"text"`
	Emoji *bool  `json:"emoji,omitempty"` // only of plain text
}

func plainText(text string) *slackText { return &slackText{"plain_text", text, new(bool)} }

// Send implements [Sender].
func (s *Slack) Send(ctx context.Context, n Notification) error {
	address, err := s.read(s.to.Address)
	if err != nil {
		return err
	}
	body, err := slackMessage(n)
	if err != nil {
		return sluice.Errorf(sluice.Internal, "event %s cannot be written as JSON: %w", n.ID, err)
	}
	header := http.Header{"Content-Type": {"application/json; charset=utf-8"}, "User-Agent": {"sluice"}}
	return s.post(ctx, strings.TrimSpace(address), header, body)
}

// slackMessage returns the message: blocks, and for notifications and receivers without blocks the same as a text.
func slackMessage(n Notification) ([]byte, error) {
	link := "<" + escaped(n.Data.URL) + "|Open the deployment>"
	text := append([]string{n.Title}, n.Lines...)
	for i := range text {
		text[i] = escaped(text[i])
	}
	blocks := []block{{Type: "header", Text: plainText(visible(n.Title, maxHeader))}}
	if len(n.Lines) > 0 {
		blocks = append(blocks, block{Type: "section", Text: plainText(strings.Join(n.Lines, "\n"))})
	}
	blocks = append(blocks, block{Type: "context", Elements: []slackText{{Type: "mrkdwn", Text: link}}})
	return json.Marshal(map[string]any{"text": strings.Join(append(text, link), "\n"), "blocks": blocks})
}

// mention matches what other receivers than Slack take for a mention of everybody, however it is written.
var mention = regexp.MustCompile(`(?i)@(here|channel|everyone|all)\b`)

// escaped returns a text in which Slack sees no link, mention or command.
func escaped(text string) string {
	text = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
	return mention.ReplaceAllString(text, "@\u200b$1")
}

// Check implements [Sender].
func (s *Slack) Check() error {
	_, err := s.read(s.to.Address)
	return err
}
