package mongodb

import (
	"errors"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

var errDocument = errors.New("a document is not BSON")

// walk visits the elements of a document in order, without decoding or allocating. An array is a document with the
// names 0, 1, 2. The bytes belong to the document.
func walk(document []byte, visit func(element bsoncore.Element, name []byte, value bsoncore.Value) error) error {
	length, rest, ok := bsoncore.ReadLength(document)
	if !ok || int(length) != len(document) || length < 5 || document[length-1] != 0 {
		return errDocument
	}
	rest = rest[:len(rest)-1]
	for len(rest) > 0 {
		element, after, ok := bsoncore.ReadElement(rest)
		if !ok {
			return errDocument
		}
		value, err := element.ValueErr()
		if err != nil {
			return errDocument
		}
		if err := visit(element, element.KeyBytes(), value); err != nil {
			return err
		}
		rest = after
	}
	return nil
}

// inner returns the bytes of a document or array inside a value.
func inner(value bsoncore.Value) ([]byte, bool) {
	if value.Type == bsoncore.TypeEmbeddedDocument || value.Type == bsoncore.TypeArray {
		return value.Data, true
	}
	return nil, false
}

// wellFormed reports whether a document is BSON at all levels. The driver's own check may panic on other data.
func wellFormed(document []byte) bool {
	return walk(document, func(_ bsoncore.Element, _ []byte, value bsoncore.Value) error {
		if data, ok := inner(value); ok && !wellFormed(data) {
			return errDocument
		}
		return nil
	}) == nil
}
