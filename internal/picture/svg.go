package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"regexp"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// The picture's measures in pixels. Fonts differ, so each piece of text is stretched to the width of its columns.
const (
	fontSize   = 14
	columnSize = 8.4
	lineSize   = 20
	margin     = 16
)

// colours are those of the terminal, by the number in an escape sequence.
var colours = map[string]string{"31": "#e06c75", "32": "#98c379", "36": "#56b6c2", "2": "#7f848e"}

const (
	foreground = "#d8dee9"
	background = "#282c34"
)

// style matches the escape sequence of a colour or weight.
var style = regexp.MustCompile("\x1b\\[([0-9;]*)m")

// render draws the lines of a terminal as SVG.
func render(lines []string, columns int) []byte {
	var out bytes.Buffer
	width, height := 2*margin+int(float64(columns)*columnSize), 2*margin+lineSize*len(lines)
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" `+
		`font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="%d">`+
		`<rect width="%[1]d" height="%[2]d" rx="8" fill="%[4]s"/>`+"\n", width, height, fontSize, background)
	for i, line := range lines {
		drawLine(&out, line, margin+lineSize*i+fontSize)
	}
	out.WriteString("</svg>\n")
	return out.Bytes()
}

// drawLine draws the pieces of a line, each in one colour and weight.
func drawLine(out *bytes.Buffer, line string, y int) {
	column, attributes := 0, attributesOf("")
	for line != "" {
		piece, rest := line, ""
		next := style.FindStringSubmatchIndex(line)
		if next != nil {
			piece, rest = line[:next[0]], line[next[1]:]
		}
		if width := ansi.StringWidth(piece); strings.TrimSpace(piece) != "" {
			fmt.Fprintf(out, `<text x="%.1f" y="%d" %s xml:space="preserve" textLength="%.1f">`,
				margin+float64(column)*columnSize, y, attributes, float64(width)*columnSize)
			_ = xml.EscapeText(out, []byte(piece)) // a buffer takes everything
			out.WriteString("</text>\n")
		}
		column += ansi.StringWidth(piece)
		if next != nil {
			attributes = attributesOf(line[next[2]:next[3]])
		}
		line = rest
	}
}

// attributesOf returns the attributes of text after an escape sequence.
func attributesOf(codes string) string {
	fill, weight := foreground, ""
	for code := range strings.SplitSeq(codes, ";") {
		if colour, ok := colours[code]; ok {
			fill = colour
		}
		if code == "1" {
			weight = ` font-weight="bold"`
		}
	}
	return `fill="` + fill + `"` + weight
}
