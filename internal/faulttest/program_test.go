package faulttest

import (
	"strings"
	"testing"
)

// TestProgram: a pod that does not come up is named with what is missing and its last words, and leaves nothing,
// on a first deployment and on a later one.
func TestProgram(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		manifest string
		says     []string
		logged   string // what the command of the hint prints
	}{
		"crash": {deployment("web", "crash", "2", probe), []string{"pod web-", "restarts: ",
			"panic: the setting COLOUR is missing"}, "reading the settings"},
		"never ready": {deployment("web", "deaf", "2", probe), []string{"pod web-", "readiness", "thinking about it"},
			"thinking about it"},
		"wrong command": {deployment("web", "web", "2", "command: [no-such-program]"),
			[]string{"pod web-", "no-such-program"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "")
			empty := w.things()
			says := append(test.says, "Deployment/web cannot become ready", "no progress for 2s", "hint: ")
			w.says(w.deploy(deployFile("", "", join(first, service, test.manifest))), 1, says...)
			w.unchanged(empty, 0)

			w.mustDeploy(deployFile("", "", join(first, service, deployment("web", "web", "1", probe))))
			before := w.things()
			out := w.deploy(deployFile("", "", join(strings.Replace(first, "first}", "first}, data: {a: b}", 1), service,
				test.manifest)))
			w.says(out, 1, append(says, "put back: ")...)
			w.unchanged(before, 1)
			if test.logged != "" {
				w.says(w.hinted(out), 0, test.logged)
			}
		})
	}
}

// hinted runs what the hint of a failed deployment says to type.
func (w *world) hinted(out outcome) outcome {
	w.t.Helper()
	_, command, found := strings.Cut(out.stdout, "sluice logs ")
	if !found {
		w.t.Fatalf("no hint names a command: %s", out)
	}
	command, _, _ = strings.Cut(command, "\n")
	return w.sluice(append([]string{"logs"}, strings.Fields(command)...)...)
}
