package manifest_test

import (
	"slices"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// TestLoadTellsTheValuesOfSecrets: also if the text is wrong, since a finding may quote it.
func TestLoadTellsTheValuesOfSecrets(t *testing.T) {
	const head = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n"
	for name, text := range map[string]string{
		"stringData":       head + "stringData:\n  password: the-5ecret\n",
		"no text":          head + "stringData: {pin: 5311, password: the-5ecret}\n",
		"no name":          "apiVersion: v1\nkind: Secret\nstringData:\n  password: the-5ecret\n",
		"an open quote":    head + "stringData:\n  password: \"the-5ecret\n",
		"an alias":         head + "stringData:\n  password: *the-5ecret\n",
		"a tab":            head + "stringData:\n\tpassword: the-5ecret\n",
		"another document": "kind: [\n---\n" + head + "data:\n  password: the-5ecret\n",
		"JSON":             "{\"kind\": \"Secret\",\n\"data\": {\n  \"password\": \"the-5ecret\",\n}",
		"a block":          head + "stringData:\n  password: |\n    the-5ecret\n  x: *y\n",
	} {
		var told []string
		o := manifest.Options{Secret: func(value string) { told = append(told, value) }}
		manifest.Load(t.TempDir(), sluice.ManifestSource{Inline: text}, o)
		if !slices.ContainsFunc(told, func(v string) bool { return v == "the-5ecret" || v == "the-5ecret\n" }) {
			t.Errorf("%s: only %q are told", name, told)
		}
	}
	text := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  colour: *blue\n"
	manifest.Load(t.TempDir(), sluice.ManifestSource{Inline: text}, manifest.Options{Secret: func(value string) {
		t.Errorf("%q of a ConfigMap is told", value)
	}})
}
