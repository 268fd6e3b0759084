package mongodb

import (
	"encoding/binary"
	"strings"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// without appends the document without the fields at the paths, also where they stand inside of arrays. The order of
// the rest is kept.
func without(dst, document []byte, paths []string) ([]byte, error) {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	err := walk(document, func(element bsoncore.Element, name []byte, value bsoncore.Value) error {
		deeper, gone := below(paths, string(name))
		if gone {
			return nil
		}
		data, isDocument := inner(value)
		if len(deeper) == 0 || !isDocument {
			dst = append(dst, element...)
			return nil
		}
		dst = append(dst, element[:len(element)-len(data)]...)
		var err error
		if value.Type == bsoncore.TypeArray {
			dst, err = withoutIn(dst, data, deeper)
			return err
		}
		dst, err = without(dst, data, deeper)
		return err
	})
	return finish(dst, start), err
}

// withoutIn is without for every document of an array, also of arrays in it.
func withoutIn(dst, array []byte, paths []string) ([]byte, error) {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	err := walk(array, func(element bsoncore.Element, _ []byte, value bsoncore.Value) error {
		data, isDocument := inner(value)
		if !isDocument {
			dst = append(dst, element...)
			return nil
		}
		dst = append(dst, element[:len(element)-len(data)]...)
		var err error
		if value.Type == bsoncore.TypeArray {
			dst, err = withoutIn(dst, data, paths)
			return err
		}
		dst, err = without(dst, data, paths)
		return err
	})
	return finish(dst, start), err
}

func finish(dst []byte, start int) []byte {
	dst = append(dst, 0)
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start))
	return dst
}

// below returns the paths inside of the field, and whether the field itself is one of them.
func below(paths []string, name string) (deeper []string, gone bool) {
	for _, path := range paths {
		if path == name {
			return nil, true
		}
		if rest, ok := strings.CutPrefix(path, name+"."); ok {
			deeper = append(deeper, rest)
		}
	}
	return deeper, false
}
