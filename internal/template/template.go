// Package template fills in the variables of texts in deploy files: of webhooks, queries and database addresses. It
// also knows which variables exist. It is pure, and imports the root package, and internal/manifest/yamldoc for names
// that are near. Start at [Parse] and [Template.Fill], or at [Check].
package template

import (
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

// tag is a variable with its filters. Names are looked up whole: dots and hyphens belong to them.
var tag = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)

// variableName matches the names that a tag may contain. Sections and partials begin with a sign and are refused.
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.\-]*$`)

// A Tag is a variable in a template, as in {{context.message | json}}.
type Tag struct {
	Name    string
	Filters []string
}

// IsVariable reports whether the name of the tag can be the name of a variable.
func (t Tag) IsVariable() bool { return variableName.MatchString(t.Name) }

// newTag divides what stands between the braces.
func newTag(inside string) Tag {
	parts := strings.Split(inside, "|")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return Tag{parts[0], parts[1:]}
}

// unknownFilter returns the first filter that does not exist, "" if all do.
func (t Tag) unknownFilter() string {
	for _, f := range t.Filters {
		if !slices.Contains(filters, f) {
			return f
		}
	}
	return ""
}

// A Template is text with tags in it: texts[0] tags[0] texts[1] ... tags[n-1] texts[n].
type Template struct {
	texts []string
	tags  []Tag
}

// Parse divides the text into tags and what stands between them. Every text is a template.
func Parse(text string) Template {
	var t Template
	from := 0
	for _, at := range tag.FindAllStringSubmatchIndex(text, -1) {
		t.texts = append(t.texts, text[from:at[0]])
		t.tags = append(t.tags, newTag(text[at[2]:at[3]]))
		from = at[1]
	}
	t.texts = append(t.texts, text[from:])
	return t
}

// FirstTag returns the first tag of a text as it is written, "" if there is none.
func FirstTag(text string) string { return tag.FindString(text) }

// Tags returns the tags in their order.
func (t Template) Tags() []Tag { return t.tags }

// Names returns the names of all tags that begin with the prefix, without the prefix.
func (t Template) Names(prefix string) []string {
	var names []string
	for _, g := range t.tags {
		if name, ok := strings.CutPrefix(g.Name, prefix); ok {
			names = append(names, name)
		}
	}
	return names
}

// First returns the name of the tag with which the text begins, "" if it begins otherwise.
func (t Template) First() string {
	if len(t.tags) == 0 || strings.TrimSpace(t.texts[0]) != "" {
		return ""
	}
	return t.tags[0].Name
}

// Check returns an Invalid error if a tag has an unknown filter.
func (t Template) Check() error {
	for _, g := range t.tags {
		if f := g.unknownFilter(); f != "" {
			return sluice.Errorf(sluice.Invalid, "{{%s | %s}} has the filter %q, which does not exist", g.Name, f, f).
				WithHint("the filters are: %s", strings.Join(filters, ", "))
		}
	}
	return nil
}

// Fill puts the values of the variables in place of their tags. Each value is written as the format needs it at its
// place; filters of the tag override that. An Invalid error says that a value cannot stand at its place, or that the
// text is not what the template promises. Errors never hold a value.
func (t Template) Fill(f Format, value func(name string) (string, error)) (string, error) {
	if err := t.Check(); err != nil {
		return "", err
	}
	write := f.write(t)
	values := make([]string, len(t.tags))
	for i, g := range t.tags {
		v, err := value(g.Name)
		if err != nil {
			return "", err
		}
		if values[i], err = write(i, v); err != nil {
			return "", err
		}
	}
	text := t.join(len(t.tags), func(i int) string { return values[i] })
	if f.check != nil {
		return text, f.check(t, text)
	}
	return text, nil
}

// Sample returns the text with a letter in place of every tag.
func (t Template) Sample() string { return t.join(len(t.tags), letter) }

func letter(int) string { return "x" }

// join returns the text up to tag n, with values in place of the tags before it.
func (t Template) join(n int, value func(i int) string) string {
	var out strings.Builder
	out.WriteString(t.texts[0])
	for i := range n {
		out.WriteString(value(i))
		out.WriteString(t.texts[i+1])
	}
	return out.String()
}

// around returns the text before and after tag i, with a letter in place of every other tag.
func (t Template) around(i int) (before, after string) {
	before = t.join(i, letter)
	return before, t.Sample()[len(before)+1:]
}
