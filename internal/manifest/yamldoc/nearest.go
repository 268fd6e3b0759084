package yamldoc

import (
	"slices"
	"strings"
)

// Nearest returns the choice that the word most likely meant, or "" if none is near. It ignores letter case, spaces and
// the signs - and _.
func Nearest(word string, choices []string) string {
	if len(word) > 64 {
		return ""
	}
	best, found := 1+max(1, len(word)/3), ""
	for _, choice := range slices.Sorted(slices.Values(choices)) {
		if len(choice) > 64 {
			continue
		}
		if d := distance(fold(word), fold(choice)); d < best {
			best, found = d, choice
		}
	}
	return found
}

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
