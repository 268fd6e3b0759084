package yamldoc

import (
	"regexp"
	"strings"
)

var (
	ofSecret  = regexp.MustCompile(`\bkind["']?\s*:\s*["']?Secret\b|\bsecretGenerator["']?\s*:`)
	ofValues  = regexp.MustCompile(`(?:^|[\s{,"'])(?:data|stringData|literals)["']?\s*:`)
	ofKey     = regexp.MustCompile(`^\s*["']?[A-Za-z][A-Za-z0-9_.-]*["']?\s*:`)
	documents = regexp.MustCompile(`^\s*---(?:\s|$)`)
)

// SecretLines returns the lines that may hold a value of a Secret, by number. The text need not be YAML: a mistake in a
// Secret must not show it.
func SecretLines(data []byte) map[int]string {
	found := map[int]string{}
	if !ofSecret.Match(data) {
		return found
	}
	lines := Lines(data)
	for from := 0; from < len(lines); {
		to := from + 1
		for to < len(lines) && !documents.MatchString(lines[to]) {
			to++
		}
		if ofSecret.MatchString(strings.Join(lines[from:to], "\n")) {
			valueLines(lines[from:to], from+1, found)
		}
		from = to
	}
	return found
}

// valueLines adds the lines of one document, whose first line has the number first.
func valueLines(lines []string, first int, found map[int]string) {
	block := -1 // the indentation of the key that the values stand under
	for i, line := range lines {
		depth := len(line) - len(strings.TrimLeft(line, " \t"))
		if block >= 0 && depth <= block && ofKey.MatchString(line) {
			block = -1
		}
		if at := ofValues.FindStringIndex(line); at != nil && block < 0 {
			block = depth
			if strings.TrimSpace(line[at[1]:]) == "" {
				continue
			}
		}
		if block >= 0 {
			found[first+i] = line
		}
	}
}
