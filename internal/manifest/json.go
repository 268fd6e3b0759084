package manifest

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonAsYAML rewrites what YAML reads otherwise in a valid JSON text: tabs between the values, and characters and
// escapes in texts. The lines stay, so that findings have their places.
func jsonAsYAML(data []byte) []byte {
	var out bytes.Buffer
	quoted := false
	for i := 0; i < len(data); {
		c, size := utf8.DecodeRune(data[i:])
		switch {
		case c == '\t':
			out.WriteByte(' ')
		case quoted && c == '\\':
			size = rewriteEscape(&out, data[i:])
		case c > '~' && !strconv.IsPrint(c):
			fmt.Fprintf(&out, `\u%04X`, c)
		default:
			quoted = quoted != (c == '"')
			out.Write(data[i : i+size])
		}
		i += size
	}
	return out.Bytes()
}

// rewriteEscape writes the escape at the beginning of the text and returns its length. JSON writes a character beyond
// 16 bits as two escapes, YAML as one.
func rewriteEscape(out *bytes.Buffer, data []byte) int {
	if data[1] == '/' {
		out.WriteByte('/')
		return 2
	}
	if data[1] != 'u' {
		out.Write(data[:2])
		return 2
	}
	first := unescape(data)
	if !utf16.IsSurrogate(first) {
		out.Write(data[:6])
		return 6
	}
	if len(data) >= 12 && data[6] == '\\' && data[7] == 'u' {
		if r := utf16.DecodeRune(first, unescape(data[6:])); r != utf8.RuneError {
			fmt.Fprintf(out, `\U%08X`, r)
			return 12
		}
	}
	out.WriteString(`\uFFFD`)
	return 6
}

// unescape returns the character of an escape such as \u00e9.
func unescape(data []byte) rune {
	r, _ := strconv.ParseUint(string(data[2:6]), 16, 32)
	return rune(r)
}
