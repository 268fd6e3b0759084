package fingerprint

import (
	"slices"
	"strconv"
	"strings"
)

// Ignored is what a release changes on purpose. An entry is collection or collection.field. Names of collections may
// contain dots, so an entry counts in every way in which it can be read.
type Ignored []string

// Collection reports whether the whole collection is ignored.
func (ig Ignored) Collection(name string) bool { return slices.Contains(ig, name) }

// Fields returns the sorted paths of the collection's ignored fields.
func (ig Ignored) Fields(collection string) []string {
	var fields []string
	for _, entry := range ig {
		if field, ok := strings.CutPrefix(entry, collection+"."); ok && field != "" {
			fields = append(fields, field)
		}
	}
	slices.Sort(fields)
	return slices.Compact(fields)
}

// Index reports whether an index is ignored because it mentions an ignored field.
func (ig Ignored) Index(collection, definition string) bool {
	return slices.ContainsFunc(ig.Fields(collection), func(field string) bool {
		return strings.Contains(definition, strconv.Quote(field)+":")
	})
}
