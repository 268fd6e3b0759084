package mask

import (
	"math/big"
	"strings"
	"unicode"
)

// atOnce is how many characters are permuted together. The characters before them are the tweak, so the whole is still
// a permutation, and the time for a text is proportional to its length.
const atOnce = 40

// format replaces each letter by a letter of the same case and each digit by a digit; everything else stays. Different
// texts of ASCII letters and digits stay different. Letters of other alphabets become ASCII letters; different texts
// with such letters most likely stay different.
func (m Masker) format(s string) string {
	var shape strings.Builder
	tweak := ""
	var alphabets []string
	for _, r := range s {
		a, foreign := alphabetOf(r)
		if foreign {
			tweak = s
		}
		if a == "" {
			shape.WriteRune(r)
			continue
		}
		shape.WriteByte(a[0])
		alphabets = append(alphabets, a)
	}
	masked := m.characters(s, alphabets, "format "+shape.String()+"\x00"+tweak)
	var out strings.Builder
	for _, r := range s {
		if a, _ := alphabetOf(r); a != "" {
			out.WriteByte(masked[0])
			masked = masked[1:]
			continue
		}
		out.WriteRune(r)
	}
	return out.String()
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
)

// alphabetOf returns the characters that may replace r, or "" if r stays.
func alphabetOf(r rune) (alphabet string, foreign bool) {
	switch {
	case r >= 'a' && r <= 'z':
		return lower, false
	case r >= 'A' && r <= 'Z':
		return upper, false
	case r >= '0' && r <= '9':
		return digits, false
	case unicode.IsUpper(r):
		return upper, true
	case unicode.IsNumber(r):
		return digits, true
	case unicode.IsLetter(r), unicode.IsMark(r), r == unicode.ReplacementChar:
		return lower, true
	}
	return "", false
}

// characters permutes the characters of s that have an alphabet, atOnce by atOnce.
func (m Masker) characters(s string, alphabets []string, tweak string) string {
	indexes := make([]int, 0, len(alphabets))
	for _, r := range s {
		if a, foreign := alphabetOf(r); a != "" {
			i := 0
			if !foreign {
				i = strings.IndexRune(a, r)
			}
			indexes = append(indexes, i)
		}
	}
	var out, before strings.Builder
	before.WriteString(tweak)
	for from := 0; from < len(indexes); from += atOnce {
		to := min(from+atOnce, len(indexes))
		out.WriteString(m.block(indexes[from:to], alphabets[from:to], before.String()))
		for _, i := range indexes[from:to] {
			before.WriteByte(byte('0' + i))
		}
		// A hash replaces what came before, so that a long text is not hashed again for each block.
		kept := string(m.stream("before", before.String(), 16))
		before.Reset()
		before.WriteString(kept)
	}
	return out.String()
}

func (m Masker) block(indexes []int, alphabets []string, tweak string) string {
	x, n := new(big.Int), big.NewInt(1)
	for i, index := range indexes {
		size := big.NewInt(int64(len(alphabets[i])))
		x.Add(x.Mul(x, size), big.NewInt(int64(index)))
		n.Mul(n, size)
	}
	x = m.permute(x, n, tweak)
	out := make([]byte, len(indexes))
	for i := len(indexes) - 1; i >= 0; i-- {
		index := new(big.Int)
		x.DivMod(x, big.NewInt(int64(len(alphabets[i]))), index)
		out[i] = alphabets[i][index.Int64()]
	}
	return string(out)
}
