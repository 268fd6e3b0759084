package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// excerpt PAGE BEGIN FILE writes the block of a page of the repository that begins with the text into the file.
func excerpt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: excerpt PAGE BEGIN FILE")
	}
	page, err := os.ReadFile(filepath.Join(sourceDir, "..", "..", args[0]))
	ts.Check(err)
	for _, b := range blocks(string(page)) {
		if strings.HasPrefix(b.text, args[1]) {
			ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(b.text), 0o600))
			return
		}
	}
	ts.Fatalf("no block of %s begins with %q", args[0], args[1])
}

// A fence is a fenced block of a page.
type fence struct {
	language string
	heading  string // the last line before it that is not empty
	text     string
}

// blocks returns the fenced blocks of a page in their order.
func blocks(page string) (list []fence) {
	inside := false
	last := ""
	for line := range strings.Lines(page) {
		language, fenced := strings.CutPrefix(line, "```")
		switch {
		case fenced && !inside:
			list = append(list, fence{language: strings.TrimSpace(language), heading: last})
		case !fenced && inside:
			list[len(list)-1].text += line
		case strings.TrimSpace(line) != "":
			last = strings.TrimSpace(line)
		}
		inside = inside != fenced
	}
	return list
}

// replace OLD NEW FILE replaces every occurrence of a text in a file, which must have one.
func replace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 || !strings.Contains(ts.ReadFile(args[2]), args[0]) {
		ts.Fatalf("usage: replace OLD NEW FILE, where FILE contains OLD")
	}
	text := strings.ReplaceAll(ts.ReadFile(args[2]), args[0], args[1])
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(text), 0o600))
}
