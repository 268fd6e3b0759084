package secret

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
)

// An Output is a stream that no secret leaves by. It is the file, so that a terminal is still known as one.
type Output struct {
	file   *os.File
	redact func(string) string
}

// Output returns the file as an output. Each write must hold whole texts.
func (r *Redactor) Output(file *os.File) *Output { return &Output{file, r.Text} }

// JSONOutput returns the file as an output of JSON, which stays JSON: only the strings in it are redacted.
func (r *Redactor) JSONOutput(file *os.File) *Output { return &Output{file, r.JSON} }

// Write writes the text without its secrets.
func (o *Output) Write(text []byte) (int, error) {
	if _, err := o.file.WriteString(o.redact(string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Read reads from the file, as a terminal can be read.
func (o *Output) Read(p []byte) (int, error) { return o.file.Read(p) }

// Close closes the file.
func (o *Output) Close() error { return o.file.Close() }

// Fd returns the file's descriptor.
func (o *Output) Fd() uintptr { return o.file.Fd() }

// literal is a string of JSON, with the colon behind it if it is a key.
var literal = regexp.MustCompile(`"(?:[^"\\]|\\.)*"(?:\s*:)?`)

// JSON redacts the strings of a JSON text, except keys.
func (r *Redactor) JSON(text string) string {
	return literal.ReplaceAllStringFunc(text, func(quoted string) string {
		var plain string
		if json.Unmarshal([]byte(quoted), &plain) != nil {
			return quoted // a key
		}
		shown := r.Text(plain)
		if shown == plain {
			return quoted
		}
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		_ = e.Encode(shown) // text can always be encoded
		return string(bytes.TrimSpace(b.Bytes()))
	})
}
