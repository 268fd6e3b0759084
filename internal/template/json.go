package template

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

// JSON is JSON, also with text after it. Values between quotes are escaped. Others are written as they are, and have to
// keep the text valid.
var JSON = Format{write: writeJSON, check: checkJSON}

func writeJSON(t Template) func(int, string) (string, error) {
	quotes := t.quotes(`"`, 0)
	return func(i int, value string) (string, error) {
		g := t.tags[i]
		quoted := quotes[i] != 0
		if len(g.Filters) == 0 && quoted {
			return jsonText(value), nil
		}
		value = g.filtered(value)
		if quoted && slices.Contains(g.Filters, filterJSON) && g.Filters[len(g.Filters)-1] == filterJSON {
			value = value[1 : len(value)-1] // the template has the quotes
		}
		return value, nil
	}
}

func checkJSON(t Template, text string) error {
	if validity(text) >= validity(t.probe()) {
		return nil
	}
	quotes := t.quotes(`"`, 0)
	bare := func(i int) bool { return quotes[i] == 0 || len(t.tags[i].Filters) > 0 }
	const message = "the body is JSON in the deploy file, but not with the values of %s"
	return sluice.Errorf(sluice.Invalid, message, t.named(bare)).
		WithHint("put quotes around a text, or write {{name | json}}; any other value must be JSON itself")
}

// probe returns the text with a harmless JSON value in place of each tag.
func (t Template) probe() string {
	return strings.TrimSpace(t.join(len(t.tags), func(int) string { return "0" }))
}

// How much of a text is JSON.
const (
	invalid  = iota
	leading  // one object or list, then other text
	complete // all of it
)

func validity(text string) int {
	if json.Valid([]byte(text)) {
		return complete
	}
	var first json.RawMessage
	if json.NewDecoder(strings.NewReader(text)).Decode(&first) == nil && (first[0] == '{' || first[0] == '[') {
		return leading
	}
	return invalid
}

// quotes returns for each tag the sign that begins the literal or comment in which it stands, 0 if there is none.
// Literals are enclosed by one of the marks; a comment goes on until the end of its line.
func (t Template) quotes(marks string, comment byte) []byte {
	all := make([]byte, len(t.tags))
	var within byte
	for i, text := range t.texts {
		escaped := false
		for _, c := range []byte(text) {
			switch {
			case escaped:
				escaped = false
			case within == 0 && (c == comment || strings.IndexByte(marks, c) >= 0):
				within = c
			case within == c && c != comment, within == comment && c == '\n':
				within = 0
			case c == '\\' && within != 0 && within != '`' && within != comment:
				escaped = true
			}
		}
		if i < len(all) {
			all[i] = within
		}
	}
	return all
}
