package mask_test

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sluice-cd/sluice/internal/mask"
)

var (
	one   = mask.New([]byte("one key"))
	other = mask.New([]byte("another key"))
)

func TestTheSameValueHasTheSameMaskAndAnotherKeyAnother(t *testing.T) {
	for _, rule := range []string{mask.Hash, mask.Format, mask.Email} {
		const value = "Ada Lovelace 1815"
		masked := one.Text(rule, value)
		if masked != mask.New([]byte("one key")).Text(rule, value) || masked == other.Text(rule, value) {
			t.Errorf("%s: %q is not of the key alone", rule, masked)
		}
		if strings.Contains(masked, "Ada") || strings.Contains(masked, "1815") || one.Text(rule, "") != "" {
			t.Errorf("%s: %q shows the value", rule, masked)
		}
	}
	if one.Text(mask.Empty, "x") != "" {
		t.Error("what has to be empty is not")
	}
}

func TestShapes(t *testing.T) {
	for value, want := range map[string]string{
		"+49 (711) 123-4567":      `^\+\d\d \(\d{3}\) \d{3}-\d{4}$`,
		"DE89 3704 0044":          `^[A-Z]{2}\d\d \d{4} \d{4}$`,
		"Zoë O'Brien":             `^[A-Z][a-z][a-z] [A-Z]'[A-Z][a-z]{4}$`,
		"Ünal-7":                  `^[A-Z][a-z]{3}-\d$`,
		"!?":                      `^!\?$`,
		strings.Repeat("ab1", 99): `^([a-z][a-z]\d){99}$`,
	} {
		if got := one.Text(mask.Format, value); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%q became %q, want %s", value, got, want)
		}
	}
	if got := one.Text(mask.Hash, "x"); !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(got) {
		t.Errorf("a hash is %q", got)
	}
	if got := one.Text(mask.Email,
		"ada@example.com"); !regexp.MustCompile(`^[0-9a-f]{24}@masked\.invalid$`).MatchString(got) {
		t.Errorf("an address is %q", got)
	}
	if got := one.Bytes([]byte{1, 2, 3}); len(got) != 3 {
		t.Errorf("3 bytes became %d", len(got))
	}
}

// TestNoTwoBecomeOne walks whole domains: a permutation reaches every value once.
func TestNoTwoBecomeOne(t *testing.T) {
	for name, domain := range map[string]func(yield func(any)){
		"texts of a letter and two digits": func(yield func(any)) {
			for i := range 2600 {
				yield(one.Text(mask.Format, fmt.Sprintf("%c%02d", 'a'+i/100, i%100)))
			}
		},
		"numbers below 1000": func(yield func(any)) {
			for i := range int64(1000) {
				yield(one.Int(i, 32))
			}
		},
		"negative numbers": func(yield func(any)) {
			for i := range int64(1000) {
				yield(one.Int(-i, 64))
			}
		},
		"numbers with two decimals": func(yield func(any)) {
			for i := range 2000 {
				yield(one.Float(float64(i) / 100))
			}
		},
		"long texts that differ at the end": func(yield func(any)) {
			for i := range 1000 {
				yield(one.Text(mask.Format, strings.Repeat("abc ", 30)+fmt.Sprint(i+1000)))
			}
		},
		"seconds": func(yield func(any)) {
			for i := range int64(1000) {
				yield(one.Millis(i * 1000))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			seen, n := map[any]bool{}, 0
			domain(func(v any) { seen[v] = true; n++ })
			if len(seen) != n {
				t.Errorf("%d values became %d", n, len(seen))
			}
		})
	}
}

func TestNumbersKeepTheirSize(t *testing.T) {
	for _, v := range []int64{0, 7, -7, 42, -1000, math.MaxInt32, math.MinInt32, 1_999_999_999} {
		got := one.Int(v, 32)
		if got > math.MaxInt32 || got < math.MinInt32 || len(fmt.Sprint(got)) != len(fmt.Sprint(v)) || got < 0 != (v < 0) {
			t.Errorf("%d became %d", v, got)
		}
	}
	for _, v := range []int64{math.MaxInt64, math.MinInt64} {
		if got := one.Int(v, 64); len(fmt.Sprint(got)) != len(fmt.Sprint(v)) || got < 0 != (v < 0) {
			t.Errorf("%d became %d", v, got)
		}
	}
	huge, _ := new(big.Int).SetString("-1234567890123456789012345678901234", 10)
	if got := one.Whole(huge); len(got.String()) != len(huge.String()) || got.Cmp(huge) == 0 || got.Sign() != -1 {
		t.Errorf("%s became %s", huge, got)
	}
	for _, v := range []float64{12.5, -0.001, 1e300, 5e-324, math.MaxFloat64, 1200} {
		got := one.Float(v)
		if math.IsInf(got, 0) || math.Signbit(got) != math.Signbit(v) || v > 1e-300 && (got/v > 10 || got/v < 0.1) {
			t.Errorf("%v became %v", v, got)
		}
	}
	if one.Float(0) != 0 || !math.IsNaN(one.Float(math.NaN())) {
		t.Error("0 and what is no number stay")
	}
	at := time.Date(1984, 5, 6, 7, 8, 9, 0, time.UTC).UnixMilli()
	if got := one.Millis(at); time.UnixMilli(got).UTC().Year() != 1984 || got == at {
		t.Errorf("an instant of 1984 became %s", time.UnixMilli(got).UTC())
	}
}

func FuzzText(f *testing.F) {
	f.Add("Zoë 12")
	f.Add("\xff\xfe")
	f.Fuzz(func(t *testing.T, s string) {
		for _, rule := range mask.Rules() {
			got := one.Text(rule, s)
			if got != one.Text(rule, s) || utf8.ValidString(s) && rule == mask.Format &&
				utf8.RuneCountInString(got) != utf8.RuneCountInString(s) {
				t.Errorf("%s: %q became %q", rule, s, got)
			}
		}
	})
}
