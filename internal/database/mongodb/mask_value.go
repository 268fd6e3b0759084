package mongodb

import (
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/sluice-cd/sluice/internal/mask"
)

func bsonType(value bsoncore.Value) bson.Type { return bson.Type(value.Type) }

// maskValue returns the bytes of a value of the same type. It returns false if the rule does not fit the type.
func maskValue(m mask.Masker, rule string, value bsoncore.Value) (data []byte, ok bool) {
	if rule == mask.Empty {
		return emptyValue(value)
	}
	if rule == mask.Email {
		return maskText(m, rule, value)
	}
	switch value.Type {
	case bsoncore.TypeString, bsoncore.TypeSymbol:
		return maskText(m, rule, value)
	case bsoncore.TypeInt32:
		return bsoncore.AppendInt32(nil, int32(m.Int(int64(value.Int32()), 32))), true
	case bsoncore.TypeInt64:
		return bsoncore.AppendInt64(nil, m.Int(value.Int64(), 64)), true
	case bsoncore.TypeDouble:
		return bsoncore.AppendDouble(nil, m.Float(value.Double())), true
	case bsoncore.TypeDecimal128:
		return maskDecimal(m, value), true
	case bsoncore.TypeDateTime:
		return bsoncore.AppendDateTime(nil, m.Millis(value.DateTime())), true
	case bsoncore.TypeObjectID:
		return m.Bytes(value.Data), true
	case bsoncore.TypeBinary:
		subtype, content := value.Binary()
		return bsoncore.AppendBinary(nil, subtype, m.Bytes(content)), true
	}
	return nil, false
}

func maskText(m mask.Masker, rule string, value bsoncore.Value) ([]byte, bool) {
	switch value.Type {
	case bsoncore.TypeString:
		return bsoncore.AppendString(nil, m.Text(rule, value.StringValue())), true
	case bsoncore.TypeSymbol:
		return bsoncore.AppendString(nil, m.Text(rule, value.Symbol())), true
	}
	return nil, false
}

// maskDecimal masks the digits and keeps the exponent. A value that is not a number stays.
func maskDecimal(m mask.Masker, value bsoncore.Value) []byte {
	high, low := value.Decimal128()
	digits, exponent, err := bson.NewDecimal128(high, low).BigInt()
	if err != nil {
		return value.Data
	}
	masked, ok := bson.ParseDecimal128FromBigInt(m.Whole(digits), exponent)
	if !ok { // 34 digits and no more always fit
		return bsoncore.AppendDecimal128(nil, 0, 0)
	}
	h, l := masked.GetBytes()
	return bsoncore.AppendDecimal128(nil, h, l)
}

func emptyValue(value bsoncore.Value) ([]byte, bool) {
	switch value.Type {
	case bsoncore.TypeString, bsoncore.TypeSymbol, bsoncore.TypeJavaScript:
		return bsoncore.AppendString(nil, ""), true
	case bsoncore.TypeInt32:
		return bsoncore.AppendInt32(nil, 0), true
	case bsoncore.TypeInt64, bsoncore.TypeDateTime, bsoncore.TypeTimestamp:
		return bsoncore.AppendInt64(nil, 0), true
	case bsoncore.TypeDouble:
		return bsoncore.AppendDouble(nil, 0), true
	case bsoncore.TypeDecimal128:
		zero, _ := bson.ParseDecimal128("0") // a constant that is right
		h, l := zero.GetBytes()
		return bsoncore.AppendDecimal128(nil, h, l), true
	case bsoncore.TypeBoolean:
		return bsoncore.AppendBoolean(nil, false), true
	case bsoncore.TypeObjectID:
		return make([]byte, len(value.Data)), true
	case bsoncore.TypeBinary:
		subtype, _ := value.Binary()
		return bsoncore.AppendBinary(nil, subtype, nil), true
	case bsoncore.TypeRegex:
		return bsoncore.AppendRegex(nil, "", ""), true
	}
	return nil, false
}
