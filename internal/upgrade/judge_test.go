package upgrade_test

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/upgrade"
)

func TestJudge(t *testing.T) {
	for name, test := range map[string]struct {
		version, format, image string
		want                   upgrade.Verdict
		says                   string // in reason or hint
	}{
		"a patch":                     {"6.0.1", "6.0", "mongo:6.0.3", upgrade.OK, ""},
		"the same":                    {"6.0.3", "6.0", "mongo:6.0.3", upgrade.OK, ""},
		"the same series":             {"6.0.3", "6.0", "mongo:6.0", upgrade.OK, ""},
		"the same major":              {"6.0.3", "6.0", "mongo:6", upgrade.OK, ""},
		"a patch back":                {"6.0.3", "6.0", "mongo:6.0.1", upgrade.Warning, "back from 6.0.3 to 6.0.1"},
		"a build of a distribution":   {"7.0.14", "7.0", "docker.io/bitnami/mongodb:7.0.15-debian-12-r0", upgrade.OK, ""},
		"the next major":              {"6.0.14", "6.0", "mongo:7.0.2", upgrade.Warning, "restoreData"},
		"the next, by its number":     {"7.0.14", "7.0", "mongo:8", upgrade.Warning, "restoreData"},
		"from 4.4 to 5.0":             {"4.4.29", "4.4", "mongo:5.0", upgrade.Warning, "restoreData"},
		"from 4.2 to 4.4":             {"4.2.1", "4.2", "mongo:4.4", upgrade.Warning, "restoreData"},
		"within the series of 8":      {"8.0.4", "8.0", "mongo:8.2.1", upgrade.Warning, "restoreData"},
		"two majors":                  {"6.0.14", "6.0", "mongo:8.0", upgrade.Refused, "7.0 first"},
		"two majors, by its number":   {"6.0.14", "6.0", "mongo:8", upgrade.Refused, "7.0 first"},
		"two early majors":            {"4.2.1", "4.2", "mongo:5.0", upgrade.Refused, "4.4 first"},
		"many majors":                 {"3.6.8", "3.6", "mongo:8.0", upgrade.Refused, "4.0 first"},
		"past the first of a major":   {"7.0.14", "7.0", "mongo:8.2", upgrade.Refused, "8.0 first"},
		"an old format":               {"6.0.14", "5.0", "mongo:7.0", upgrade.Refused, `Version: "6.0"}`},
		"an old format of 7.0":        {"7.0.14", "6.0", "mongo:8.0", upgrade.Refused, `"7.0", confirm: true}`},
		"an old format, same version": {"6.0.14", "5.0", "mongo:6.0.15", upgrade.OK, ""},
		"a format that is not known":  {"6.0.14", "", "mongo:7.0", upgrade.Warning, "clusterMonitor"},
		"two majors, no format":       {"6.0.14", "", "mongo:8.0", upgrade.Refused, "7.0 first"},
		"back":                        {"7.0.14", "7.0", "mongo:6.0", upgrade.Refused, "no way back"},
		"back from 7.0, old format":   {"7.0.14", "6.0", "mongo:6.0", upgrade.Refused, "no way back"},
		"back from 6.0, old format":   {"6.0.14", "5.0", "mongo:5.0", upgrade.Warning, "checkpoint"},
		"back from 6.0, new format":   {"6.0.14", "6.0", "mongo:5.0", upgrade.Refused, "no way back"},
		"back, no format":             {"6.0.14", "", "mongo:5.0", upgrade.Refused, "no way back"},
		"latest":                      {"6.0.14", "6.0", "mongo:latest", upgrade.Warning, "does not say"},
		"no tag":                      {"6.0.14", "6.0", "localhost:5000/mongo", upgrade.Warning, "does not say"},
		"a digest":                    {"6.0.14", "6.0", "mongo@sha256:0123", upgrade.Warning, "does not say"},
		"a tag and a digest":          {"6.0.14", "6.0", "mongo:8.0@sha256:0123", upgrade.Refused, "7.0 first"},
		"a version of one's own":      {"6.0.14", "6.0", "localhost:5000/shop/db:2.1", upgrade.Warning, "does not say"},
		"a date":                      {"6.0.14", "6.0", "mongo:20260101", upgrade.Warning, "does not say"},
		"words before the version":    {"6.0.14", "6.0", "mongo:nightly-5.0", upgrade.Warning, "does not say"},
		"FerretDB":                    {"7.0.42 (FerretDB)", "", "mongo:6.0.3", upgrade.OK, ""},
		"FerretDB by its own version": {"FerretDB v1.24.2", "", "ferretdb:1.23", upgrade.OK, ""},
		"a server without a version":  {"", "", "mongo:6.0.3", upgrade.OK, ""},
	} {
		got := upgrade.Judge("mongodb", sluice.Server{Version: test.version, Format: test.format}, test.image)
		if got.Verdict != test.want || !strings.Contains(got.Reason+" "+got.Hint, test.says) {
			t.Errorf("%s: %+v, want %s with %q", name, got, test.want, test.says)
		}
		if said := got.Reason != "" && got.Hint != ""; said == (got.Verdict == upgrade.OK) {
			t.Errorf("%s: %+v must say why and what to do, or nothing", name, got)
		}
	}
	if got := upgrade.Judge("postgresql", sluice.Server{Version: "14.2"}, "mongo:5.0"); got.Verdict != upgrade.OK {
		t.Errorf("another engine: %+v", got)
	}
}
