package template

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/sluice-cd/sluice"
)

// A Format says how values are written into a kind of text.
type Format struct {
	// write returns the function that writes a value in place of tag i.
	write func(t Template) func(i int, value string) (string, error)
	check func(t Template, text string) error // of the finished text; may be nil
}

// The filters of tags: a JSON text with its quotes, percent-encoding, and the value as it is.
const (
	filterJSON = "json"
	filterURL  = "url"
	filterRaw  = "raw"
)

var filters = []string{filterJSON, filterURL, filterRaw}

// filtered applies the filters of the tag from left to right.
func (g Tag) filtered(value string) string {
	for _, f := range g.Filters {
		switch f {
		case filterJSON:
			value = `"` + jsonText(value) + `"`
		case filterURL:
			value = percent(value)
		}
	}
	return value
}

// unless returns a writer that applies the tag's filters, or without filters calls write.
func unless(t Template, write func(i int, value string) (string, error)) func(int, string) (string, error) {
	return func(i int, value string) (string, error) {
		if len(t.tags[i].Filters) > 0 {
			return t.tags[i].filtered(value), nil
		}
		return write(i, value)
	}
}

// Plain is text without any rules: values are written as they are.
var Plain = Format{write: func(t Template) func(int, string) (string, error) {
	return unless(t, func(_ int, value string) (string, error) { return value, nil })
}}

// Header is the value of an HTTP header. It has one line.
var Header = Format{
	write: Plain.write,
	check: func(t Template, text string) error {
		control := func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
		if strings.ContainsFunc(text, control) {
			return sluice.Errorf(sluice.Invalid, "with %s a header holds a line end or another control character", t.named(nil)).
				WithHint("remove it from the value, or encode the value: {{name | url}}")
		}
		return nil
	},
}

// Form is the body of a form. A value that follows a = is percent-encoded; any other may hold whole pairs.
var Form = Format{write: func(t Template) func(int, string) (string, error) {
	return unless(t, func(i int, value string) (string, error) {
		if before, _ := t.around(i); isParameter(before) {
			return percent(value), nil
		}
		return value, nil
	})
}}

// Body returns the format of a body with the content type. A body without a telling type is JSON if it begins with a
// JSON object or list.
func Body(contentType string, t Template) Format {
	switch contentType = strings.ToLower(contentType); {
	case strings.Contains(contentType, "json"):
		return JSON
	case strings.Contains(contentType, "x-www-form-urlencoded"):
		return Form
	case strings.HasPrefix(contentType, "multipart/"):
		return Plain
	}
	if probe := t.probe(); strings.HasPrefix(probe, "{") || strings.HasPrefix(probe, "[") {
		if validity(probe) != invalid {
			return JSON
		}
	}
	return Plain
}

// Written returns the forms in which templates may write the value, so that all of them can be masked.
func Written(value string) []string {
	return []string{value, jsonText(value), percent(value), strings.ReplaceAll(url.PathEscape(value), "%2F", "/")}
}

// isParameter reports whether what follows the text is the value of a parameter of a query or form.
func isParameter(before string) bool {
	return strings.Contains(before[strings.LastIndex(before, "&")+1:], "=")
}

// percent encodes everything but letters, digits and -_.~
func percent(value string) string { return strings.ReplaceAll(url.QueryEscape(value), "+", "%20") }

// jsonText returns what stands between the quotes of a JSON text.
func jsonText(value string) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // a text can always be encoded
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(out.String()), `"`), `"`)
}

// named lists the tags for which is holds, or all.
func (t Template) named(is func(i int) bool) string {
	var names []string
	for i, g := range t.tags {
		if is == nil || is(i) {
			names = append(names, "{{"+g.Name+"}}")
		}
	}
	return strings.Join(names, ", ")
}
