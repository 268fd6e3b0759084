package step_test

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
)

// A Service that fits only one of two versions is refused before a canary starts, with what to do.
func TestServiceThatMovesWithTheVersion(t *testing.T) {
	labelled := func(o sluice.Object, version string) {
		o.Set(version, "spec", "template", "metadata", "labels", "version")
	}
	port := func(o sluice.Object, name string, number int64) {
		o.List("spec", "template", "spec", "containers")[0]["ports"] = []any{
			map[string]any{"name": name, "containerPort": number}}
	}
	target := func(o sluice.Object, to any) { o.List("spec", "ports")[0]["targetPort"] = to }
	for name, tt := range map[string]struct {
		before, after func(service, deployment sluice.Object)
		says          string // "": it is released
	}{
		"a label in the selector": {
			func(s, d sluice.Object) { labelled(d, "1"); s.Set("1", "spec", "selector", "version") },
			func(s, d sluice.Object) { labelled(d, "2"); s.Set("2", "spec", "selector", "version") },
			"the selector of Service/web has a label that changes with the version of Deployment/web (version)"},
		"a label of the pods alone": {
			func(_, d sluice.Object) { labelled(d, "1") },
			func(_, d sluice.Object) { labelled(d, "2") }, ""},
		"a label that leaves the selector": {
			func(s, d sluice.Object) { labelled(d, "1"); s.Set("1", "spec", "selector", "version") },
			func(_, d sluice.Object) { labelled(d, "1") }, ""},
		"a number": {
			func(s, d sluice.Object) { port(d, "http", 8080); target(s, int64(8080)) },
			func(s, d sluice.Object) { port(d, "http", 9090); target(s, int64(9090)) },
			"port 80 of Service/web moves from target port 8080 to 9090"},
		"a name": {
			func(s, d sluice.Object) { port(d, "http", 8080); target(s, "http") },
			func(s, d sluice.Object) { port(d, "http", 9090); target(s, "http") }, ""},
		"a number that becomes a name": {
			func(s, d sluice.Object) { port(d, "http", 8080); target(s, int64(8080)) },
			func(s, d sluice.Object) { port(d, "http", 9090); target(s, "http") }, ""},
		"a name that the old pods do not have": {
			func(s, d sluice.Object) { port(d, "web", 8080); target(s, "web") },
			func(s, d sluice.Object) { port(d, "http", 8080); target(s, "http") },
			"port 80 of Service/web moves from target port web to http"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			one, two := release("1"), release("2")
			tt.before(one[2], one[4])
			tt.after(two[2], two[4])
			b.add("install", applying(true, one...)).mustRun(t, "install")
			b.plan.Steps = nil
			b.add("apply", applying(true, two...)).add("promote", promoting())
			was := b.account.Snapshot()
			_, err := b.run(t, "apply")
			if tt.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				b.mustRun(t, "promote")
				return
			}
			if sluice.ErrorCode(err) != sluice.Unsupported || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v", err)
			}
			if was != b.account.Snapshot() {
				t.Error("something changed")
			}
		})
	}
}
