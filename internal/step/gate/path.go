package gate

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/theory/jsonpath"

	"github.com/sluice-cd/sluice"
)

// escaped is a name with dots in it, as kubectl writes it: .metadata.labels.app\.kubernetes\.io/name.
var escaped = regexp.MustCompile(`\.((?:[A-Za-z0-9_/\-]|\\\.)*\\\.(?:[A-Za-z0-9_/\-]|\\\.)*)`)

// A valuePath finds values in an object. It is written as kubectl's jsonpath output is, with or without braces,
// or as RFC 9535 says.
type valuePath struct{ *jsonpath.Path }

func parsePath(text string) (valuePath, error) {
	s := strings.TrimSpace(text)
	s = strings.TrimSuffix(strings.TrimPrefix(s, "{"), "}")
	s = escaped.ReplaceAllStringFunc(s, func(m string) string {
		return "['" + strings.ReplaceAll(m[1:], `\.`, ".") + "']"
	})
	switch {
	case strings.HasPrefix(s, "$"):
	case strings.HasPrefix(s, ".") || strings.HasPrefix(s, "["):
		s = "$" + s
	default:
		s = "$." + s
	}
	p, err := jsonpath.Parse(s)
	if err != nil {
		return valuePath{}, sluice.Errorf(sluice.Invalid, "%q is not a jsonpath: %w", text, err).
			WithHint("write it like {.status.phase}")
	}
	return valuePath{p}, nil
}

// values returns what the path finds as text; what is neither text, number nor truth is its JSON.
func (p valuePath) values(o sluice.Object) []string {
	found := p.Select(map[string]any(o))
	list := make([]string, 0, len(found))
	for _, v := range found {
		if s, ok := v.(string); ok {
			list = append(list, s)
			continue
		}
		raw, err := json.Marshal(v)
		if err != nil {
			continue // an object decoded from JSON has no such value
		}
		list = append(list, string(raw))
	}
	return list
}
