package agent

import (
	"testing"
)

func TestExpand(t *testing.T) {
	vars := map[string]string{"A": "1", "B": "$(A)"}
	get := func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
	for in, want := range map[string]string{
		"":               "",
		"plain":          "plain",
		"$(A)":           "1",
		"x$(A)y$(A)":     "x1y1",
		"$(B)":           "$(A)", // a value is not expanded again
		"$$(A)":          "$(A)",
		"$$$(A)":         "$1",
		"$(MISSING)":     "$(MISSING)",
		"$(A":            "$(A",
		"$":              "$",
		"a$":             "a$",
		"$A":             "$A",
		"$()":            "$()",
		"cost: $5 $(A)!": "cost: $5 1!",
	} {
		if got := expand(in, get); got != want {
			t.Errorf("expand(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestRewrite(t *testing.T) {
	mounts := []mount{{"/var/data/deep", "/r/deep"}, {"/data", "/r/data"}}
	for in, want := range map[string]string{
		"":                          "",
		"/data":                     "/r/data",
		"/data/x":                   "/r/data/x",
		"--dir=/data":               "--dir=/r/data",
		"--dir=/data,mode=1":        "--dir=/r/data,mode=1",
		"/data:/data/b":             "/r/data:/r/data/b",
		"exec db --at '/data'":      "exec db --at '/r/data'",
		"file:///data/db?cache=1":   "file:///r/data/db?cache=1",
		"/database":                 "/database",
		"/data-old /data.d /data_2": "/data-old /data.d /data_2",
		"/my/data":                  "/my/data",
		"http://host/data":          "http://host/data",
		"http://127.1.0.1:80/data":  "http://127.1.0.1:80/data",
		"$(X)/data ${X}/data":       "$(X)/data ${X}/data",
		"/var/data/deep/x":          "/r/deep/x",
	} {
		if got := rewrite(in, mounts); got != want {
			t.Errorf("rewrite(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzExpand(f *testing.F) {
	f.Add("$(A)$$(B)$")
	f.Fuzz(func(t *testing.T, s string) {
		none := func(string) (string, bool) { return "", false }
		if got := expand(s, none); len(got) > len(s) {
			t.Errorf("expand(%q) = %q grew without values", s, got)
		}
		if got := rewrite(s, nil); got != s {
			t.Errorf("rewrite(%q) = %q without mounts", s, got)
		}
	})
}
