package mongodb

import (
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// immaterial are options that do not change what the index does, or that depend on the server.
var immaterial = []string{"key", "name", "v", "ns", "background"}

// indexDefinition returns an index's name and its definition as text: first the key in its own order, because {a, b}
// and {b, a} are different indexes, then the other options by name. An option that is false counts as absent.
func indexDefinition(index bson.Raw) (name, definition string, err error) {
	name, _ = index.Lookup("name").StringValueOK()
	elements, err := index.Elements()
	if err != nil {
		return "", "", err
	}
	var options []string
	for _, element := range elements {
		value := element.Value()
		if off, isBool := value.BooleanOK(); slices.Contains(immaterial, element.Key()) || isBool && !off {
			continue
		}
		options = append(options, strconv.Quote(element.Key())+":"+text(value))
	}
	slices.Sort(options)
	return name, strings.Join(append([]string{text(index.Lookup("key"))}, options...), " "), nil
}

// text writes a value as JSON. All types of numbers look alike, because shells disagree on the type of a direction.
func text(value bson.RawValue) string {
	if number, ok := float(value); ok {
		return strconv.FormatFloat(number, 'g', -1, 64)
	}
	document, ok := value.DocumentOK()
	if !ok {
		return value.String()
	}
	elements, err := document.Elements()
	if err != nil {
		return value.String()
	}
	parts := make([]string, 0, len(elements))
	for _, element := range elements {
		parts = append(parts, strconv.Quote(element.Key())+":"+text(element.Value()))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func float(value bson.RawValue) (float64, bool) {
	switch value.Type {
	case bson.TypeInt32:
		return float64(value.Int32()), true
	case bson.TypeInt64:
		return float64(value.Int64()), true
	case bson.TypeDouble:
		return value.Double(), true
	}
	return 0, false
}
