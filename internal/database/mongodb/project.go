package mongodb

import (
	"encoding/binary"
	"strings"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// without appends the document without the fields at the paths, also inside arrays. The order of the rest stays.
func without(dst, document []byte, paths []string) ([]byte, error) {
	return project(dst, document, paths, false)
}

func project(dst, document []byte, paths []string, array bool) ([]byte, error) {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	err := walk(document, func(element bsoncore.Element, name []byte, value bsoncore.Value) error {
		deeper, gone := paths, false // an element of an array has no name of its own
		if !array {
			deeper, gone = below(paths, string(name))
		}
		data, isDocument := inner(value)
		if gone {
			return nil
		}
		if len(deeper) == 0 || !isDocument {
			dst = append(dst, element...)
			return nil
		}
		var err error
		dst, err = project(append(dst, element[:len(element)-len(data)]...), data, deeper, value.Type == bsoncore.TypeArray)
		return err
	})
	return finish(dst, start), err
}

func finish(dst []byte, start int) []byte {
	dst = append(dst, 0)
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start))
	return dst
}

// below returns the paths inside the field, and whether the field itself is one of them.
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
