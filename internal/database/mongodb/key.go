package mongodb

import (
	"bytes"
	"encoding/binary"
	"math"
	"regexp"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/sluice-cd/sluice"
)

// appendKey appends a document's key: the type and bytes of its _id. A document without one, as time series may have,
// is its own key.
func appendKey(dst, document []byte) ([]byte, error) {
	length, rest, ok := bsoncore.ReadLength(document)
	if !ok || int(length) != len(document) || length < 5 {
		return dst, errDocument
	}
	for rest = rest[:len(rest)-1]; len(rest) > 0; {
		element, after, ok := bsoncore.ReadElement(rest)
		if !ok {
			return dst, errDocument
		}
		if string(element.KeyBytes()) == "_id" {
			dst = append(dst, element[0])
			return append(dst, element[len("_id")+2:]...), nil
		}
		rest = after
	}
	dst = append(dst, byte(bsoncore.TypeEmbeddedDocument))
	return append(dst, document...), nil
}

func keyValue(key string) bson.RawValue {
	return bson.RawValue{Type: bson.Type(key[0]), Value: []byte(key[1:])}
}

// plain matches strings that are written without quotes: they do not look like a number or a word of JSON.
var plain = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.:/@-]*$`)

// renderKey writes a key so that no two keys look alike. 12 is an int and order-12 a plain string. Everything else is
// canonical extended JSON: the long 12 is {"$numberLong":"12"} and the string 12 is "12".
func renderKey(key string) string {
	value := keyValue(key)
	switch value.Type {
	case bson.TypeInt32:
		return strconv.Itoa(int(value.Int32()))
	case bson.TypeString:
		s := value.StringValue()
		if plain.MatchString(s) && s != "true" && s != "false" && s != "null" {
			return s
		}
	}
	if data, ok := inner(bsoncore.Value{Type: bsoncore.Type(value.Type), Data: value.Value}); ok && !wellFormed(data) {
		return strconv.Quote(key)
	}
	wrapped, err := bson.MarshalExtJSON(bson.D{{Key: "k", Value: value}}, true, false)
	if err != nil {
		return strconv.Quote(key)
	}
	return string(bytes.TrimSuffix(bytes.TrimPrefix(wrapped, []byte(`{"k":`)), []byte("}")))
}

// others is the rank of types that are not in ranks.
const others = 100

// ranks is the order in which MongoDB sorts types. Other types come last.
var ranks = map[bson.Type]byte{
	bson.TypeMinKey: 1, bson.TypeNull: 2, bson.TypeInt32: 3, bson.TypeInt64: 3, bson.TypeDouble: 3, bson.TypeDecimal128: 4,
	bson.TypeString: 5, bson.TypeEmbeddedDocument: 6, bson.TypeArray: 7, bson.TypeBinary: 8, bson.TypeObjectID: 9,
	bson.TypeBoolean: 10, bson.TypeDateTime: 11, bson.TypeTimestamp: 12, bson.TypeRegex: 13,
}

// appendSortable appends the key so that its bytes sort much as the server sorts by _id: by type, numbers by value,
// strings and the rest by bytes. keyOf returns the key.
func appendSortable(dst, key []byte) []byte {
	value := bson.RawValue{Type: bson.Type(key[0]), Value: key[1:]}
	s, isString := value.StringValueOK()
	isString = isString && key[len(key)-1] == 0
	if value.Type == bson.TypeString && !isString {
		return append(append(dst, others), key...) // not what a server sends
	}
	dst = append(dst, rank(value.Type))
	if number, ok := float(value); ok {
		return append(binary.BigEndian.AppendUint64(dst, ordered(number)), key...)
	}
	if isString {
		return append(dst, s...) // without its length, which the bytes begin with
	}
	if value.Type == bson.TypeDateTime {
		return binary.BigEndian.AppendUint64(dst, uint64(value.DateTime())^1<<63)
	}
	return append(dst, key...)
}

// ordered returns bits that sort as numbers do.
func ordered(number float64) uint64 {
	bits := math.Float64bits(number)
	if bits>>63 == 1 {
		return ^bits
	}
	return bits | 1<<63
}

var errKey = sluice.Errorf(sluice.Internal, "a key is none of MongoDB")

func keyOf(sortable string) (string, error) {
	if sortable == "" {
		return "", errKey
	}
	rest := sortable[1:]
	switch sortable[0] {
	case rank(bson.TypeInt32):
		if len(rest) > 8 {
			return rest[8:], nil
		}
	case rank(bson.TypeString):
		return string(bsoncore.AppendString([]byte{byte(bson.TypeString)}, rest)), nil
	case rank(bson.TypeDateTime):
		if len(rest) == 8 {
			at := binary.BigEndian.Uint64([]byte(rest)) ^ 1<<63
			return string(bsoncore.AppendDateTime([]byte{byte(bson.TypeDateTime)}, int64(at))), nil
		}
	default:
		if rest != "" {
			return rest, nil
		}
	}
	return "", errKey
}

func keysOf(sortable []string) ([]string, error) {
	keys := make([]string, len(sortable))
	for i := range sortable {
		var err error
		if keys[i], err = keyOf(sortable[i]); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

func rank(t bson.Type) byte {
	if r, ok := ranks[t]; ok {
		return r
	}
	return others
}
