package yamldoc

import (
	"slices"
	"strings"
	"unicode"
)

// Nearest returns the choice that the word most likely meant, or "" if none is near. It ignores letter case, spaces and
// the signs - and _. A name that differs in a whole word or a number, as prod-eu and web1 do from prod-us and web2, is
// no misspelling but another thing.
func Nearest(word string, choices []string) string {
	if len(word) > 64 {
		return ""
	}
	best, found := 1+max(1, len(word)/3), ""
	for _, choice := range slices.Sorted(slices.Values(choices)) {
		if len(choice) > 64 || isSibling(word, choice) {
			continue
		}
		if d := distance(fold(word), fold(choice)); d < best {
			best, found = d, choice
		}
	}
	return found
}

// isSibling reports whether two names of the same number of words differ in a number, or in a word that is not merely
// misspelled.
func isSibling(a, b string) bool {
	these, those := words(a), words(b)
	if len(these) != len(those) {
		return false
	}
	for i, this := range these {
		if that := those[i]; this != that && (isNumber(this) && isNumber(that) || len(these) > 1 && !isSlip(this, that)) {
			return true
		}
	}
	return false
}

// isSlip reports whether a word may be a misspelling of another one: at most a third of its letters are wrong.
func isSlip(a, b string) bool { return distance(a, b) <= max(len(a), len(b))/3 }

// words splits a name at signs, and between letters and digits.
func words(name string) (list []string) {
	kind := func(r rune) int {
		switch {
		case unicode.IsDigit(r):
			return 1
		case unicode.IsLetter(r):
			return 2
		}
		return 0
	}
	before := 0
	for _, r := range strings.ToLower(name) {
		now := kind(r)
		if now != 0 && now != before {
			list = append(list, "")
		}
		if now != 0 {
			list[len(list)-1] += string(r)
		}
		before = now
	}
	return list
}

func isNumber(word string) bool { return unicode.IsDigit([]rune(word)[0]) }

func fold(s string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(s))
}

// distance counts the insertions, deletions, replacements and swaps of neighbours between a and b.
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		older := before
		before, row = row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(before[j]+1, row[j-1]+1, before[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
