package mongodb

import (
	"errors"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/sluice-cd/sluice/internal/fingerprint"
)

var errLarge = errors.New("a document has too many fields to be described")

// outlineOf describes a document, and adds how many fields it has to count, which may not get larger than fetchFields.
func outlineOf(document []byte, count *int) (*fingerprint.Outline, error) {
	outline := &fingerprint.Outline{}
	return outline, describe(outline, bsoncore.Value{Type: bsoncore.TypeEmbeddedDocument, Data: document}, count)
}

func describe(outline *fingerprint.Outline, value bsoncore.Value, count *int) error {
	if *count++; *count > fetchFields {
		return errLarge
	}
	outline.Hash = fingerprint.HashOf(append([]byte{byte(value.Type)}, value.Data...))
	data, isDocument := inner(value)
	if !isDocument {
		return nil
	}
	outline.Kind = value.Type.String()
	return walk(data, func(_ bsoncore.Element, name []byte, value bsoncore.Value) error {
		outline.Fields = append(outline.Fields, fingerprint.Outline{Name: string(name)})
		return describe(&outline.Fields[len(outline.Fields)-1], value, count)
	})
}
