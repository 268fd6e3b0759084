package mongodb

import (
	"bytes"
	"slices"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

const (
	orderOnly     = "(order)" // the fields are equal, but in another order
	moreFields    = "(more)"
	maxDifference = 50 // paths per document
)

// difference returns the sorted paths of the fields that differ between two documents. Elements of arrays are numbered
// from 0, as in items.0.price.
func difference(was, now []byte) ([]string, error) {
	var paths []string
	if err := differ("", was, now, &paths); err != nil {
		return nil, err
	}
	slices.Sort(paths)
	if len(paths) > maxDifference {
		paths = append(paths[:maxDifference:maxDifference], moreFields)
	}
	return paths, nil
}

func differ(prefix string, was, now []byte, paths *[]string) error {
	if bytes.Equal(was, now) {
		return nil // even if a name is repeated, which the map below cannot represent
	}
	before, err := fieldsOf(was)
	if err != nil {
		return err
	}
	found := len(*paths)
	seen := map[string]bool{}
	err = walk(now, func(_ bsoncore.Element, name []byte, value bsoncore.Value) error {
		seen[string(name)] = true
		old, ok := before[string(name)]
		if !ok {
			*paths = append(*paths, join(prefix, string(name)))
			return nil
		}
		return differValue(join(prefix, string(name)), old, value, paths)
	})
	if err != nil {
		return err
	}
	for name := range before {
		if !seen[name] {
			*paths = append(*paths, join(prefix, name))
		}
	}
	if len(*paths) == found {
		*paths = append(*paths, join(prefix, orderOnly))
	}
	return nil
}

func differValue(path string, was, now bsoncore.Value, paths *[]string) error {
	if was.Type == now.Type && bytes.Equal(was.Data, now.Data) {
		return nil
	}
	old, isDocument := inner(was)
	if !isDocument || was.Type != now.Type {
		*paths = append(*paths, path)
		return nil
	}
	return differ(path, old, now.Data, paths)
}

func fieldsOf(document []byte) (map[string]bsoncore.Value, error) {
	fields := map[string]bsoncore.Value{}
	err := walk(document, func(_ bsoncore.Element, name []byte, value bsoncore.Value) error {
		fields[string(name)] = value
		return nil
	})
	return fields, err
}
