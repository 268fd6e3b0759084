package mongodb

import (
	"math"
	"math/big"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/sluice-cd/sluice"
)

// exact is a precision that every sum of doubles fits in, so that a sum does not depend on the order of reading.
const exact = 2300

// A sum adds up one field of a collection: int, long, double and decimal, also inside arrays and documents. Values of
// other types are ignored.
type sum struct {
	path     []string
	ints     big.Int
	small    int64 // part of ints, moved there before it overflows
	doubles  *big.Float
	decimals big.Rat
	odd      string // a value that is not a number, such as NaN
}

func newSum(field string) *sum {
	return &sum{path: strings.Split(field, "."), doubles: new(big.Float).SetPrec(exact)}
}

func (s *sum) add(document []byte) error { return s.descend(document, s.path) }

func (s *sum) descend(document []byte, path []string) error {
	return walk(document, func(_ bsoncore.Element, name []byte, value bsoncore.Value) error {
		if string(name) != path[0] {
			return nil
		}
		return s.value(value, path[1:])
	})
}

func (s *sum) value(value bsoncore.Value, path []string) error {
	if value.Type == bsoncore.TypeArray {
		return walk(value.Data, func(_ bsoncore.Element, _ []byte, element bsoncore.Value) error {
			return s.value(element, path)
		})
	}
	if len(path) == 0 {
		s.number(value)
		return nil
	}
	if value.Type == bsoncore.TypeEmbeddedDocument {
		return s.descend(value.Data, path)
	}
	return nil
}

func (s *sum) number(value bsoncore.Value) {
	switch value.Type {
	case bsoncore.TypeInt32:
		s.int(int64(value.Int32()))
	case bsoncore.TypeInt64:
		s.int(value.Int64())
	case bsoncore.TypeDouble:
		s.double(value.Double())
	case bsoncore.TypeDecimal128:
		high, low := value.Decimal128()
		s.decimal(bson.NewDecimal128(high, low))
	}
}

func (s *sum) int(v int64) {
	if v > 0 && s.small > math.MaxInt64-v || v < 0 && s.small < math.MinInt64-v {
		s.flush()
	}
	s.small += v
}

func (s *sum) flush() {
	s.ints.Add(&s.ints, big.NewInt(s.small))
	s.small = 0
}

func (s *sum) double(v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		s.odd = "NaN or Infinity"
		return
	}
	s.doubles.Add(s.doubles, new(big.Float).SetFloat64(v))
}

func (s *sum) decimal(v bson.Decimal128) {
	coefficient, exponent, err := v.BigInt()
	if err != nil {
		s.odd = v.String()
		return
	}
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(exponent, -exponent))), nil)
	number := new(big.Rat).SetFrac(coefficient, power)
	if exponent >= 0 {
		number.SetInt(coefficient.Mul(coefficient, power))
	}
	s.decimals.Add(&s.decimals, number)
}

func (s *sum) merge(other *sum) {
	other.flush()
	s.ints.Add(&s.ints, &other.ints)
	s.doubles.Add(s.doubles, other.doubles)
	s.decimals.Add(&s.decimals, &other.decimals)
	s.odd = max(s.odd, other.odd)
}

// value64 returns the sum, rounded once.
func (s *sum) value64(invariant sluice.Invariant) (float64, error) {
	field := invariant.Sum + "." + invariant.Field
	if s.odd != "" {
		return 0, sluice.Errorf(sluice.Failed, "invariant %q: %s contains %s", invariant.Name, field, s.odd).
			WithHint("correct the documents, or let the invariant sum another field")
	}
	s.flush()
	total, _ := s.doubles.Rat(nil)
	total.Add(total, new(big.Rat).SetInt(&s.ints))
	total.Add(total, &s.decimals)
	value, _ := total.Float64()
	if math.IsInf(value, 0) {
		return 0, sluice.Errorf(sluice.Failed, "invariant %q: the sum of %s is too large", invariant.Name, field)
	}
	return value, nil
}
