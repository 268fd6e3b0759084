package pages

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
)

func TestReleaseIsTheTagOfTheApplicationsImage(t *testing.T) {
	images := func(names ...string) *sluice.Plan {
		p := &sluice.Plan{Application: "shop"}
		for _, name := range names {
			pod := map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"image": name}}}}
			p.Steps = append(p.Steps, sluice.PlannedStep{Target: "one", StepSpec: sluice.StepSpec{
				Apply: &sluice.Apply{Objects: []sluice.Object{{
					"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "x"},
					"spec": map[string]any{"template": pod},
				}}},
			}})
		}
		return p
	}
	for want, p := range map[string]*sluice.Plan{
		"2.2":      images("db.example.com:5000/mongo:7.0", "example.com:5000/acme/shop:2.2"),
		"2.3":      images("shop:2.3", "mongo:7.0"),
		"7.0 +1":   images("mongo:7.0", "other:1"),
		"deadbee":  images("mongo:7.0", "shop@sha256:deadbeefcafe"),
		"7.1":      images("mongo:7.1", "shop"),
		"8f9e5f1c": images("shop"),
		"7.2 +1":   images("mongo:7.2", "shopping:1"),
		"3.0-rc1":  images("acme/shop:3.0-rc1@sha256:deadbeefcafe"),
		"1.0 +1":   images("a:1.0", "b:2.0", "c:1.0"),
		"2.4":      images("shop/database:1", "acme/shop:2.4"),
	} {
		if got := release("1a224bbd8ba-8f9e5f1c", p, "one"); got != want {
			t.Errorf("release %q, want %q", got, want)
		}
	}
}

func TestVersionLeavesOutThePassageOfTime(t *testing.T) {
	const page = `<td>a</td><time datetime="1">now</time><b>b</b><time datetime="2">1 min</time> end`
	was := versionOf([]byte(page))
	later := strings.NewReplacer(">now<", ">2 min<", "1 min", "3 min").Replace(page)
	if is := versionOf([]byte(later)); is != was {
		t.Errorf("it was %s and is %s, although only time has passed", was, is)
	}
	for _, other := range []string{"datetime", ">a<", ">b<", " end"} {
		if is := versionOf([]byte(strings.Replace(page, other, other+"!", 1))); is == was {
			t.Errorf("the version is the same with another %s", other)
		}
	}
}

func TestShortStopsAreInMilliseconds(t *testing.T) {
	for d, want := range map[time.Duration]string{18_400_000: "18ms", 1_500_000_000: "1.5s", 0: "0s"} {
		if got := stood(d); got != want {
			t.Errorf("%d: %q, want %q", d, got, want)
		}
	}
}
