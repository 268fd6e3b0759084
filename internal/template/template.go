// Package template knows how variables are written in the templates of deploy files, and which exist. It fills in
// nothing. It imports only internal/manifest/yamldoc, for names that are near. Start at [Check].
package template

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

var (
	// Tag matches a variable with its braces. Its group is the name, in which dots and hyphens may stand.
	Tag = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)

	// Name matches the name of a variable. Sections and partials begin with a sign and are none.
	Name = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.\-]*$`)
)

// A Place is a kind of text that is a template.
type Place string

// The places of templates. Some variables exist only in one of them.
const (
	Webhook  Place = "webhooks"  // addresses, headers and bodies
	Query    Place = "queries"   // to metric providers
	Database Place = "databases" // their addresses
)

var everywhere = []string{
	"armory.accountName", "armory.applicationName", "armory.deploymentId", "armory.environmentName", "armory.namespace",
	"armory.pipelineId", "armory.replicaSetName",
}

var only = map[Place][]string{
	Webhook: {"armory.callbackUri"},
	Query: {
		"armory.endTimeEpochMillis", "armory.endTimeEpochSeconds", "armory.endTimeIso8601", "armory.intervalMillis",
		"armory.intervalSeconds", "armory.promQlStepInterval", "armory.startTimeEpochMillis",
		"armory.startTimeEpochSeconds", "armory.startTimeIso8601",
	},
}

// roots begin the names that users choose.
var roots = []string{"armory.preview", "context", "secrets"}

// Variables returns the variables of a place whose names are fixed.
func Variables(at Place) []string { return slices.Concat(everywhere, only[at]) }

// A Mistake is a part of a template that can never be filled in.
type Mistake struct {
	Part    string // as it is written
	Message string
	Hint    string
	at      int
}

var (
	triple   = regexp.MustCompile(`\{(\{\{\s*[A-Za-z_][\w.\-]*\s*\}\})\}`)
	unclosed = regexp.MustCompile(`\{\{\s*((?:armory|context|secrets)\.[\w.\-]*)`)
	unopened = regexp.MustCompile(`\{?\s*\b((?:armory|context|secrets)\.[\w.\-]+)\s*\}\}`)
)

// most bounds how many mistakes are returned.
const most = 500

// Check returns the first mistakes of a template in their order. Names that users choose count as known.
func Check(text string, at Place) []Mistake {
	var found []Mistake
	add := func(m []int, message, hint string) {
		part := strings.TrimSpace(text[m[0]:m[1]])
		found = append(found, Mistake{Part: part, Message: fmt.Sprintf(message, yamldoc.Clip(part)), Hint: hint, at: m[0]})
	}
	rest := []byte(text) // without what is a variable
	for _, m := range Tag.FindAllStringSubmatchIndex(text, -1) {
		if len(found) == most {
			return found
		}
		copy(rest[m[0]:m[1]], strings.Repeat(" ", m[1]-m[0]))
		if message, hint := wrong(text[m[2]:m[3]], at); message != "" {
			add(m, message, hint)
		}
	}
	for _, m := range triple.FindAllStringSubmatchIndex(text, -1) {
		add(m, "%s has three braces", "write "+yamldoc.Clip(text[m[2]:m[3]])+"; nothing is escaped")
	}
	for _, re := range []*regexp.Regexp{unclosed, unopened} {
		for _, m := range re.FindAllSubmatchIndex(rest, -1) {
			add(m, "a brace of %s is missing", "write {{"+yamldoc.Clip(text[m[2]:m[3]])+"}}")
		}
	}
	slices.SortStableFunc(found, func(a, b Mistake) int { return a.at - b.at })
	return found
}

// wrong says what is wrong with a name, and what to write instead.
func wrong(name string, at Place) (message, hint string) {
	if !Name.MatchString(name) {
		return malformed(name)
	}
	if slices.Contains(Variables(at), name) {
		return "", ""
	}
	for _, root := range roots {
		if rest, ok := strings.CutPrefix(name, root); ok && len(rest) > 1 && rest[0] == '.' {
			return "", ""
		}
	}
	for place, names := range only {
		if slices.Contains(names, name) {
			return "%s exists only in " + string(place), "remove it here"
		}
	}
	return "there is no variable %s", instead(name, at)
}

func malformed(name string) (message, hint string) {
	if variable, _, ok := strings.Cut(name, "|"); ok {
		return "%s uses a filter, and there are none", "write {{" + yamldoc.Clip(strings.TrimSpace(variable)) + "}}"
	}
	return "%s is not a variable", "write {{name}}: sections, partials and expressions are not supported"
}

// instead returns a hint for a name that does not exist.
func instead(name string, at Place) string {
	choices := Variables(at)
	if slices.Contains(choices, "armory."+name) {
		return "did you mean {{armory." + name + "}}?"
	}
	if near := yamldoc.Nearest(name, choices); near != "" && strings.Contains(name, ".") {
		return "did you mean {{" + near + "}}?"
	}
	if root, rest, ok := strings.Cut(name, "."); ok && rest != "" {
		if near := yamldoc.Nearest(root, []string{"context", "secrets"}); near != "" {
			return "did you mean {{" + near + "." + yamldoc.Clip(rest) + "}}?"
		}
	}
	return "write {{context.NAME}} for a value of the file, {{secrets.NAME}} for a secret, or one of: " +
		strings.Join(choices, ", ")
}
