package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// figures are the words of pages with a number and a unit, and the code that they are true by.
var figures = []struct{ page, words, file, code string }{
	{"docs/cli.md", "than 24 hours", "cmd/sluice/data_branch.go", `"expires", 24*time.Hour`},
	{"docs/cli.md", "the last 200 lines", "cmd/sluice/logs.go", `"lines", 200`},
	{"docs/cli.md", "answers within 3 s", "internal/step/gate/analysis.go", "glance = 3 * time.Second"},
	{"docs/configuration.md", "32 bytes in base64", "internal/secret/key.go", "KeyBytes = 32"},
	{"docs/configuration.md", "at most 64 KiB", "internal/inbound/callback.go", "maxCallback = 64 << 10"},
	{"docs/data.md", "after 30 seconds at the latest", "internal/dataset/dataset.go", "lease = 30 * time.Second"},
	{"docs/data.md", "segments of 4 MiB", "internal/mover/tree/tree.go", "Segment = 4 << 20"},
	{"docs/deploy-file.md", "at most 253 bytes", "internal/deployfile/name.go", "longestName = 253"},
	{"docs/deploy-file.md", "up to 16 MiB", "internal/fetch/fetch.go", "maxBytes = 16 << 20"},
	{"docs/deploy-file.md", "such as 10s", "internal/deployfile/keys_step.go", "such as 10s"},
	{"docs/deploy-file.md", "below 1 s, 2 s, 4 s and so on", "internal/step/gate/run_webhook.go",
		"shortestPause = time.Second // doubled with each call"},
	{"docs/deploy-file.md", "and so on, at most 30 s", "internal/step/gate/run_webhook.go",
		"longestPause  = 30 * time.Second"},
	{"docs/deploy-file.md", "cloned, for 30 s at most", "internal/dataset/dataset.go", "lease = 30 * time.Second"},
	{"docs/deploy-file.md", "ends after 30 s at the latest", "internal/dataset/dataset.go", "lease = 30 * time.Second"},
	{"docs/deploy-file.md", "its life in 24 hours", "internal/dataset/temporary.go", "lifetime = 24 * time.Hour"},
	{"docs/diagnostics.md", "4 MiB for a deploy file", "internal/deployfile/parse.go", "Bytes: 4 << 20"},
	{"docs/diagnostics.md", "16 MiB for a manifest", "internal/manifest/parse.go", "maxBytes   = 16 << 20"},
	{"docs/diagnostics.md", "1 MiB for", "internal/config/parse.go", "Bytes: 1 << 20"},
	{"docs/getting-started.md", "less than 5 minutes", "cmd/sluice/testdata/script/getting_started.txtar",
		"walk docs/getting-started.md 5m"},
	{"docs/glossary.md", "a file of 4 MiB", "internal/mover/tree/tree.go", "Segment = 4 << 20"},
	{"docs/local.md", "after 6 s, each command", "internal/local/agent/timely.go", "Patience = 5 * time.Second"},
	{"docs/local.md", "after 0.1 s, 0.2 s", "internal/local/agent/probes.go", "firstProbe = 100 * time.Millisecond"},
	{"docs/local.md", "after 1 s, then 2 s", "internal/local/agent/supervise.go", "firstBackoff = time.Second"},
	{"docs/local.md", "then 2 s, up to 60 s", "internal/local/agent/supervise.go", "lastBackoff  = time.Minute"},
	{"docs/local.md", "begins at 1 s again", "internal/local/agent/supervise.go", "firstBackoff = time.Second"},
	{"docs/local.md", "wait up to 10 s", "internal/local/proxy/search.go", "hold = 10 * time.Second"},
	{"docs/local.md", "output, 16 MiB, and the 16 MiB before", "internal/local/agent/logs.go", "logLimit = 16 << 20"},
	{"docs/portworx.md", "moved for 10 minutes", "internal/mover/portworx/portworx.go", "o.Idle, 10*time.Minute"},
	{"docs/portworx.md", "within 12 hours", "internal/mover/portworx/portworx.go", "o.Overall, 12*time.Hour"},
	{"docs/rollouts.md", "not ready for 10 s", "internal/step/rollout/guard.go", "readyGrace = 10 * time.Second"},
	{"docs/rollouts.md", "stay ready for 10 s", "internal/step/ready/settle.go", "settleTime = 10 * time.Second"},
	{"docs/security.md", "a session 12 hours after", "internal/identity/session.go", "12 * time.Hour"},
	{"docs/security.md", "until its 12 hours end", "internal/identity/session.go", "12 * time.Hour"},
	{"docs/server.md", "for at most 12 hours", "internal/identity/session.go", "sessionLife = 12 * time.Hour"},
	{"docs/server.md", "after 12 hours at the latest", "internal/identity/session.go", "sessionLife = 12 * time.Hour"},
	{"docs/server.md", "warns 14 days before", "internal/service/doctor_server.go", "renewal = 14 * 24 * time.Hour"},
	{"docs/server.md", "looks every 3 s", "internal/bootstrap/serve.go", "resumeEvery  = 3 * time.Second"},
	{"docs/server.md", "waits at most 5 s", "internal/telemetry/trace.go", "exportLast  = 5 * time.Second"},
	{"docs/server.md", "up to 2 minutes", "internal/api/client.go", "patience = 2 * time.Minute"},
	{"docs/server.md", "waits 10 s", "internal/bootstrap/serve.go", "drainFor     = 10 * time.Second"},
	{"docs/api.md", "for 24 hours", "internal/server/deploy.go", "keysFor = 24 * time.Hour"},
	{"docs/api.md", "16 MiB", "internal/server/bundle.go", "MaxBundle      = 16 << 20"},
	{"docs/api.md", "comes every 15 s", "internal/api/stream.go", "heartbeat = 15 * time.Second"},
	{"docs/api.md", "for 10 minutes after", "internal/server/work.go", "keepWorks  = 10 * time.Minute"},
	{"docs/api.md", "every 15 s", "internal/api/stream.go", "heartbeat = 15 * time.Second"},
	{"docs/security.md", "at least 8 characters alone", "internal/secret/redactor.go", "minLine = 8"},
	{"docs/security.md", "secret of at least 8 characters", "internal/secret/store.go", "len(value) >= 2*minPart"},
	{"docs/notifications.md", "answer within 20 s", "internal/notify/reader.go", "= 20 * time.Second // for the answer"},
	{"docs/notifications.md", "after 1 s, 2 s, 4 s and so on, up to every 5 minutes", "internal/notify/trouble.go",
		"longestWait = 5 * time.Minute"},
	{"docs/notifications.md", "again after 30 s and then after 5 minutes", "internal/notify/trouble.go",
		"{30 * time.Second, 5 * time.Minute}"},
	{"docs/notifications.md", "24 to 64 bytes", "internal/notify/webhook.go", "maxKey = 64"},
	{"docs/security.md", "2 or 3 characters", "internal/secret/redactor.go", "minPart = 4"},
	{"docs/security.md", "12 hours after the login", "internal/identity/session.go", "sessionLife = 12 * time.Hour"},
	{"docs/security.md", "until its 12 hours end", "internal/identity/session.go", "sessionLife = 12 * time.Hour"},
}

var (
	figure = regexp.MustCompile(
		`\b\d[\d.,]* ?(?:ms|s|seconds?|minutes?|hours?|days?|[KMG]i?B|bytes|lines|columns|characters)\b`)
	measures = regexp.MustCompile(`^make bench|^go run \./internal/benchtable`)
)

// Every number with a unit is what a command measures that its section names, or what the code says.
func TestFiguresHaveASource(t *testing.T) {
	for _, p := range pages(t, "README.md", "docs/*.md") {
		for _, text := range p.prose {
			if isMeasured(p, text.section) {
				continue
			}
			for _, at := range figure.FindAllStringIndex(text.text, -1) {
				if !isSourced(p.path, text.text, at) {
					t.Errorf("%s: %q in %q: name the command that measures it, or its code in figures", p.path,
						text.text[at[0]:at[1]], text.text)
				}
			}
		}
	}
	for _, f := range figures {
		code, err := os.ReadFile(filepath.Join(root, f.file))
		if err != nil || !strings.Contains(string(code), f.code) {
			t.Errorf("%s says %q, but %s does not say %q (%v)", f.page, f.words, f.file, f.code, err)
		}
	}
}

// isMeasured reports whether the section names a command that measures.
func isMeasured(p page, section string) bool {
	return slices.ContainsFunc(p.spans, func(s span) bool { return s.section == section && measures.MatchString(s.text) })
}

// isSourced reports whether the words of a row cover the figure.
func isSourced(page, text string, at []int) bool {
	for _, f := range figures {
		from := strings.Index(text, f.words)
		if f.page == page && from >= 0 && from <= at[0] && at[1] <= from+len(f.words) {
			return true
		}
	}
	return false
}
