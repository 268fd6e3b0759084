package step_test

import (
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/steptest"
)

func previewing(t *testing.T) *bench {
	t.Helper()
	preview := func(version string) []sluice.Object {
		look := service("look")
		look.Set("web", "spec", "selector", "app")
		return append(release(version), look)
	}
	b := newBench()
	b.add("install", applying(true, preview("1")...))
	b.mustRun(t, "install")
	b.plan.Steps = nil
	show := sluice.StepSpec{Kind: sluice.KindSetWeight,
		SetWeight: &sluice.SetWeight{Weight: 100, Services: []string{"look"}}}
	return b.add("apply", applying(true, preview("2")...)).
		add("bluegreen/preview", show).add("bluegreen/switch", weight(100))
}

// A preview Service shows the new version while the users' Service still shows the old one.
func TestPreviewComesFirst(t *testing.T) {
	b := previewing(t)
	b.mustRun(t, "apply")
	b.mustRun(t, "bluegreen/preview")
	if web, look := b.account.Weight(namespace, "web"), b.account.Weight(namespace, "look"); web != 0 || look != 100 {
		t.Errorf("after the preview web has %d %% and look %d %%, want 0 and 100", web, look)
	}
	b.mustRun(t, "bluegreen/switch")
	if web := b.account.Weight(namespace, "web"); web != 100 {
		t.Errorf("after the switch web has %d %%, want 100", web)
	}
}

func TestPreview(t *testing.T) {
	steptest.Run(t, func(t *testing.T) steptest.World {
		b := previewing(t)
		b.mustRun(t, "apply")
		return b.world("bluegreen/preview")
	})
}
