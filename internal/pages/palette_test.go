package pages

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var colour = regexp.MustCompile(`--([a-z]+): #([0-9a-f]{6})`)

// palettes returns the colours of the light and of the dark scheme.
func palettes(t *testing.T) map[string]map[string]string {
	light, dark, found := strings.Cut(string(style.content), "prefers-color-scheme: dark")
	if !found {
		t.Fatal("there is no dark scheme")
	}
	all := map[string]map[string]string{"light": {}, "dark": {}}
	for scheme, text := range map[string]string{"light": light, "dark": dark} {
		for _, m := range colour.FindAllStringSubmatch(text, -1) {
			all[scheme][m[1]] = m[2]
		}
	}
	return all
}

// luminance is that of WCAG 2.
func luminance(t *testing.T, hex string) float64 {
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	share := func(c uint64) float64 {
		s := float64(c&0xff) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*share(n>>16) + 0.7152*share(n>>8) + 0.0722*share(n)
}

func contrast(t *testing.T, a, b string) float64 {
	one, two := luminance(t, a), luminance(t, b)
	return (math.Max(one, two) + 0.05) / (math.Min(one, two) + 0.05)
}

// Text of every colour is readable on every ground that it stands on: AA asks for a contrast of 4.5.
func TestTextIsReadable(t *testing.T) {
	for scheme, p := range palettes(t) {
		for _, text := range []string{"text", "faint", "accent", "good", "busy", "wait", "bad", "back", "idle"} {
			for _, ground := range []string{"bg", "raised", "tint"} {
				if p[text] == "" || p[ground] == "" {
					t.Fatalf("%s: there is no colour %s or %s", scheme, text, ground)
				}
				if c := contrast(t, p[text], p[ground]); c < 4.5 {
					t.Errorf("%s: %s on %s has a contrast of %.1f", scheme, text, ground, c)
				}
			}
		}
		for _, ground := range []string{"good", "bad"} { // of buttons
			if c := contrast(t, p["on"], p[ground]); c < 4.5 {
				t.Errorf("%s: a button in %s has a contrast of %.1f", scheme, ground, c)
			}
		}
	}
}
