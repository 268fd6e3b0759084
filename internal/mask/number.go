package mask

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// Int masks a whole number of 32 or 64 bits. The sign and the number of digits stay, and different numbers stay
// different.
func (m Masker) Int(v int64, bits int) int64 {
	limit := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	if v >= 0 {
		limit.Sub(limit, big.NewInt(1))
	}
	x := big.NewInt(v)
	masked := m.whole(new(big.Int).Abs(x), limit, x.Sign())
	if v < 0 {
		masked.Neg(masked)
	}
	return masked.Int64()
}

// Whole masks a whole number of any size. The sign and the number of digits stay, and different numbers stay different.
func (m Masker) Whole(v *big.Int) *big.Int {
	masked := m.whole(new(big.Int).Abs(v), nil, v.Sign())
	if v.Sign() < 0 {
		masked.Neg(masked)
	}
	return masked
}

// whole permutes the magnitudes with the same number of digits, up to the limit if there is one. The single digit of a
// negative number is never 0, which has no sign.
func (m Masker) whole(x, limit *big.Int, sign int) *big.Int {
	places := int64(len(x.String()))
	low := new(big.Int).Exp(big.NewInt(10), big.NewInt(places-1), nil)
	end := new(big.Int).Exp(big.NewInt(10), big.NewInt(places), nil)
	if places == 1 && sign >= 0 {
		low = new(big.Int)
	}
	if limit != nil && limit.Cmp(end) < 0 {
		end.Add(limit, big.NewInt(1))
	}
	n := end.Sub(end, low)
	masked := m.permute(new(big.Int).Sub(x, low), n, "whole "+low.String()+" "+strconv.Itoa(min(sign, 0)))
	return masked.Add(masked, low)
}

// Float masks a number. The sign, the magnitude and the number of digits stay. 0, infinities and NaN do not change.
func (m Masker) Float(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return v
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(math.Abs(v), 'e', -1, 64), "e")
	plain := strings.Replace(mantissa, ".", "", 1)
	masked := m.significant(plain, strconv.FormatBool(v < 0))
	if len(masked) > 1 {
		masked = masked[:1] + "." + masked[1:]
	}
	// A mantissa of 17 digits near the end of the range may leave it.
	out, err := strconv.ParseFloat(masked+"e"+exponent, 64)
	if err != nil {
		out = math.MaxFloat64
	}
	return math.Copysign(out, v)
}

// significant permutes digits. Neither the first nor the last becomes 0, so the number keeps its length.
func (m Masker) significant(s, tweak string) string {
	alphabets := make([]string, len(s))
	indexes := make([]int, len(s))
	for i := range s {
		alphabets[i] = digits
		if i == 0 || i == len(s)-1 {
			alphabets[i] = digits[1:]
		}
		indexes[i] = strings.IndexByte(alphabets[i], s[i])
	}
	return m.block(indexes, alphabets, "float "+tweak)
}

// Millis masks an instant, in milliseconds since 1970, by another instant of the same year in UTC. Different instants
// stay different.
func (m Masker) Millis(v int64) int64 {
	year := time.UnixMilli(v).UTC().Year()
	begin := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	end := time.Date(year+1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	if begin > v || end <= v { // beyond the calendar
		return v / 1000 * 1000
	}
	masked := m.permute(big.NewInt(v-begin), big.NewInt(end-begin), "year "+strconv.Itoa(year))
	return begin + masked.Int64()
}
