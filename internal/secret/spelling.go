package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// longest is the length up to which a value is looked for in other spellings than its own.
const longest = 16 << 10

// spellings returns the usual ways to write the value, with small ASCII letters.
func spellings(value string) []string {
	all := []string{value}
	if len(value) <= longest {
		all = distinct(append(quoted(value), value, singleQuoted.Replace(value)))
		for _, text := range slices.Clone(all) {
			all = append(all, inURL(text)...)
		}
		all = append(all, html.EscapeString(value),
			strings.NewReplacer(`&#34;`, "&quot;", "&#39;", "&apos;").Replace(html.EscapeString(value)))
		for range 2 { // a server quotes what its answer quotes again
			all = distinct(all)
			for _, text := range slices.Clone(all) {
				all = append(all, quoted(text)...)
			}
		}
		all = append(all, hex.EncodeToString([]byte(value)))
		all = append(all, encoded(value)...)
	}
	for i, text := range all {
		all[i] = lowered(text)
	}
	return slices.DeleteFunc(distinct(all), func(text string) bool { return text == "" })
}

// distinct sorts the texts and drops repetitions.
func distinct(texts []string) []string {
	slices.Sort(texts)
	return slices.Compact(texts)
}

// singleQuoted writes a text as queries write it between single quotes.
var singleQuoted = strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", `\n`)

// inURL returns the text as the parts of a URL and forms write it.
func inURL(text string) []string {
	inForm := url.QueryEscape(text)
	return []string{
		inForm, strings.ReplaceAll(inForm, "+", "%20"), url.PathEscape(text), (&url.URL{Path: text}).EscapedPath(),
		url.User(text).String(),
	}
}

// quoted returns the text as JSON and Go write it between quotes.
func quoted(text string) []string {
	all := []string{strconv.Quote(text), strconv.QuoteToASCII(text)}
	for _, escape := range []bool{true, false} {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(escape)
		if e.Encode(text) == nil { // text can always be encoded
			all = append(all, strings.TrimSuffix(b.String(), "\n"))
		}
	}
	for i, q := range all {
		all[i] = q[1 : len(q)-1]
	}
	return all
}

// encoded returns the value as base64, alone and within a longer text such as name:password. What surrounds it there
// changes the digits at its ends, so these are left out.
func encoded(value string) []string {
	var all []string
	for _, e := range []*base64.Encoding{
		base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding,
	} {
		all = append(all, e.EncodeToString([]byte(value)))
	}
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			digits := e.EncodeToString([]byte(strings.Repeat("x", before) + value))
			from, to := (before*8+5)/6, (before+len(value))*8/6
			if to-from >= 2*minPart {
				all = append(all, digits[from:to])
			}
		}
	}
	return all
}
