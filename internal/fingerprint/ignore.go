package fingerprint

import (
	"slices"
	"strconv"
	"strings"
)

// Ignored is what a release changes on purpose: entries that read collection or collection.field. Names of
// collections may have dots in them, so an entry counts in every way it can be read.
type Ignored []string

// Collection tells whether the whole collection is left out.
func (ig Ignored) Collection(name string) bool { return slices.Contains(ig, name) }

// Fields returns the field paths of the collection that are left out, sorted.
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

// Index tells whether an index is left out: it mentions a field that is.
func (ig Ignored) Index(collection, definition string) bool {
	return slices.ContainsFunc(ig.Fields(collection), func(field string) bool {
		return strings.Contains(definition, strconv.Quote(field)+":")
	})
}
