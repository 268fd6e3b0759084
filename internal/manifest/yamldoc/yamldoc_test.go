package yamldoc_test

import (
	"testing"

	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

func TestNearest(t *testing.T) {
	choices := []string{"canary", "blueGreen", "staging", "production", "shutDownOldVersionAfter"}
	for word, want := range map[string]string{
		"canray": "canary", "blue-green": "blueGreen", "bluegreen": "blueGreen", "stagin": "staging",
		"shutdownOldVersionAfter": "shutDownOldVersionAfter",
		"rolling":                 "", "x": "", "": "",
	} {
		if got := yamldoc.Nearest(word, choices); got != want {
			t.Errorf("nearest to %q is %q, want %q", word, got, want)
		}
	}
}

// The target or account of another region is no misspelling.
func TestNearestNamesNoOtherThing(t *testing.T) {
	for _, c := range []struct{ word, choice, want string }{
		{"prod-us", "prod-eu", ""}, {"us-prod", "eu-prod", ""}, {"prod_us", "prod-eu", ""}, {"prodUS2", "prodUS1", ""},
		{"web2", "web1", ""}, {"web-2", "web-1", ""}, {"web-12", "web-13", ""}, {"cluster-east", "cluster-west", ""},
		{"staging-a", "staging-b", ""}, {"v1", "v2", ""},
		{"prod_eu", "prod-eu", "prod-eu"}, {"produciton-eu", "production-eu", "production-eu"},
		{"prdo-1", "prod-1", "prod-1"},
		{"prodeu", "prod-eu", "prod-eu"}, {"web-1", "web1", "web1"}, {"stagin", "staging", "staging"},
	} {
		if got := yamldoc.Nearest(c.word, []string{c.choice}); got != c.want {
			t.Errorf("nearest to %q is %q, want %q", c.word, got, c.want)
		}
	}
}

// A node shared through aliases counts once for each way that leads to it.
func TestReadBounds(t *testing.T) {
	for text, want := range map[string]string{
		"a: &a [1, 2, 3]\nb: *a\n":                          "",
		"a: &a [1, 2, 3]\nb: [*a, *a, *a, *a]\n":            "alias-growth",
		"a: &a [1, 2]\n---\nb: [1, 2, 3, 4, 5, 6, 7, 8, 9]": "alias-growth",
		"a: &a {b: {c: 1}}\nd: {e: {f: {g: *a}}}\n":         "too-deep",
		"a: &a {b: *a}":      "alias-cycle",
		"a:\n- &b {<<: [1]}": "bad-merge",
		"a: \xc3\x28":        "not-utf8",
		"a: 'b":              yamldoc.CodeSyntax,
	} {
		_, ds := yamldoc.Read("a.yaml", []byte(text), yamldoc.Limits{Bytes: 1000, Nodes: 15, Depth: 6})
		got := ""
		if len(ds) > 0 {
			got = ds[0].Code
		}
		if got != want {
			t.Errorf("%q: got %q, want %q (%v)", text, got, want, ds)
		}
	}
}
