package mongodb

import (
	"bytes"
	"cmp"
	"regexp"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
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

// ranks is the order in which MongoDB sorts types. Other types come last.
var ranks = map[bson.Type]int{
	bson.TypeMinKey: 1, bson.TypeNull: 2, bson.TypeInt32: 3, bson.TypeInt64: 3, bson.TypeDouble: 3, bson.TypeDecimal128: 4,
	bson.TypeString: 5, bson.TypeEmbeddedDocument: 6, bson.TypeArray: 7, bson.TypeBinary: 8, bson.TypeObjectID: 9,
	bson.TypeBoolean: 10, bson.TypeDateTime: 11, bson.TypeTimestamp: 12, bson.TypeRegex: 13,
}

// compareKeys orders keys much as the server sorts by _id: by type, numbers by value, strings and the rest by bytes.
func compareKeys(a, b string) int {
	x, y := keyValue(a), keyValue(b)
	if c := cmp.Compare(rank(x.Type), rank(y.Type)); c != 0 {
		return c
	}
	m, isNumber := float(x)
	n, _ := float(y)
	if isNumber {
		return cmp.Or(cmp.Compare(m, n), cmp.Compare(a, b))
	}
	if s, isString := x.StringValueOK(); isString {
		t, _ := y.StringValueOK() // without its length, which the bytes begin with
		return cmp.Compare(s, t)
	}
	if x.Type == bson.TypeDateTime && y.Type == bson.TypeDateTime {
		return cmp.Compare(x.DateTime(), y.DateTime())
	}
	return cmp.Compare(a, b)
}

func rank(t bson.Type) int {
	if r, ok := ranks[t]; ok {
		return r
	}
	return len(ranks) + 1
}
