package template

import (
	"strings"

	"github.com/sluice-cd/sluice"
)

// PromQL is a query. Values within a literal are escaped for it; others are parts of the query.
var PromQL = Format{write: func(t Template) func(int, string) (string, error) {
	quotes := t.quotes("\"'`", '#')
	return unless(t, func(i int, value string) (string, error) {
		switch quote := string(quotes[i]); {
		case quotes[i] == '#':
			return strings.ReplaceAll(value, "\n", " "), nil
		case quote == "`" && strings.Contains(value, "`"):
			return "", sluice.Errorf(sluice.Invalid, "the value of {{%s}} holds a backquote and stands between backquotes",
				t.tags[i].Name).WithHint("put double quotes around it")
		case quote == `"` || quote == "'":
			return strings.NewReplacer(`\`, `\\`, quote, `\`+quote, "\n", `\n`).Replace(value), nil
		}
		return value, nil
	})
}}
