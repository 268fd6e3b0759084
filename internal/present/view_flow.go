package present

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// flow arranges the units in lines, with a gap between two of one line. No line is wider than width. A unit is only
// broken if it is wider than a line: at its spaces, and a word where the line ends. There is at least one line.
func flow(units []string, gap string, width int) []string {
	var lines []string
	line := ""
	for _, unit := range units {
		if line != "" && ansi.StringWidth(line+gap+unit) <= width {
			line += gap + unit
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		whole := broken(strings.TrimLeft(unit, " "), width)
		lines, line = append(lines, whole[:len(whole)-1]...), whole[len(whole)-1]
	}
	return append(lines, line)
}

// broken returns the unit in lines of at most that width.
func broken(unit string, width int) []string {
	switch words := strings.Fields(unit); {
	case ansi.StringWidth(unit) <= width:
		return []string{unit}
	case len(words) > 1:
		return flow(words, " ", width)
	}
	return strings.Split(ansi.Hardwrap(unit, width, false), "\n")
}

// hang indents all lines but the first.
func hang(lines []string, indent int) []string {
	for i := range lines[1:] {
		lines[i+1] = strings.Repeat(" ", indent) + lines[i+1]
	}
	return lines
}
