package deployfile

import (
	"strings"
	"unicode/utf8"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

const widest = 160

// Excerpt returns the line at the position and a caret below the column, or "" if there is no such line. Tabs become
// spaces, characters that cannot be seen become escapes, and long lines are cut around the column.
func Excerpt(data []byte, pos sluice.Position) string {
	line := strings.ReplaceAll(yamldoc.Line(data, pos.Line), "\t", " ")
	if !pos.IsValid() || strings.TrimSpace(line) == "" || !utf8.ValidString(line) {
		return ""
	}
	runes := []rune(line)
	column := min(max(pos.Column, 1), len(runes)+1) - 1
	if from := column - widest/2; len(runes) > widest && from > 0 {
		runes, column = runes[from:], column-from
	}
	runes = runes[:min(len(runes), widest)]
	column = min(column, len(runes))
	before := visible(runes[:column])
	return before + visible(runes[column:]) + "\n" + strings.Repeat(" ", utf8.RuneCountInString(before)) + "^"
}

func visible(runes []rune) string {
	var b strings.Builder
	for _, r := range runes {
		b.WriteString(yamldoc.Visible(r))
	}
	return b.String()
}
