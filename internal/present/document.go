package present

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
	"unicode/utf16"
)

// APIVersion is that of every document of JSON output. It changes when a field changes its meaning or goes away.
const APIVersion = "sluice-cd.github.io/v1"

// JSON writes v as an indented document: an object with its apiVersion and its kind, and the elements of a list under
// items. What [Escape] escapes is escaped there too, as JSON does.
func JSON(w io.Writer, kind string, v any) error {
	text, err := document(kind, v)
	if err != nil {
		return err
	}
	return indent(w, text)
}

// indent writes the text with every value on a line of its own.
func indent(w io.Writer, text []byte) error {
	var indented bytes.Buffer
	if err := json.Indent(&indented, text, "", "  "); err != nil {
		return err
	}
	return writeJSON(w, indented.String())
}

// jsonLine writes v as a document on one line.
func jsonLine(w io.Writer, kind string, v any) error {
	text, err := document(kind, v)
	if err != nil {
		return err
	}
	return writeJSON(w, string(text))
}

// document puts the fields of a document before those of v, or before its elements.
func document(kind string, v any) ([]byte, error) {
	if list := reflect.ValueOf(v); list.Kind() == reflect.Slice {
		if list.IsNil() {
			list = reflect.MakeSlice(list.Type(), 0, 0)
		}
		v = struct {
			Items any `json:"items"`
		}{list.Interface()}
	}
	fields, err := encode(v)
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf(`{"apiVersion":%q,"kind":%q,`, APIVersion, kind)
	return append([]byte(head), fields[1:]...), nil
}

func encode(v any) ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return text.Bytes(), err
}

func writeJSON(w io.Writer, text string) error {
	var b strings.Builder
	for _, r := range text {
		if r == '\n' || isSeen(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// A Span is a duration that JSON output writes as text, as Go and Kubernetes do: 1m30s.
type Span time.Duration

// MarshalText writes the duration.
func (s Span) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }
