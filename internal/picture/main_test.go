package main

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"strings"
	"testing"
)

func TestPictureIsCurrent(t *testing.T) {
	want, err := draw()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../" + file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the live view draws: type make pictures", file)
	}
}

func TestRender(t *testing.T) {
	drawn := string(render([]string{"a \x1b[1mbold\x1b[0m <b>", "\x1b[32m✓\x1b[0m   \x1b[2mfaint\x1b[0m"}, 20))
	for _, want := range []string{
		`<text x="16.0" y="30" fill="#d8dee9" xml:space="preserve" textLength="16.8">a </text>`,
		`<text x="32.8" y="30" fill="#d8dee9" font-weight="bold" xml:space="preserve" textLength="33.6">bold</text>`,
		`> &lt;b&gt;</text>`,
		`<text x="16.0" y="50" fill="#98c379" xml:space="preserve" textLength="8.4">✓</text>`,
		`<text x="49.6" y="50" fill="#7f848e" xml:space="preserve" textLength="42.0">faint</text>`,
	} {
		if !strings.Contains(drawn, want) {
			t.Errorf("the picture does not contain %s:\n%s", want, drawn)
		}
	}
	for d := xml.NewDecoder(strings.NewReader(drawn)); ; {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
