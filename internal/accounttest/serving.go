package accounttest

import (
	"fmt"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

// serving is about a Division with a release: the canary pods are those of the next version of the Deployment.
var serving = []scenario{
	{"Shift divides the traffic between the stable pods and those of a release", nil, (*run).divideRelease},
	{"Release leaves every pod as it was", nil, (*run).unmarked},
	{"adopted pods are stable for the next release", nil, (*run).nextRelease},
}

// releaseDivision divides the traffic between the pods of the release and the stable ones, of which one serves beside
// the others.
func (r *run) releaseDivision(percent int) sluice.Division {
	d := r.division(percent)
	d.Release, d.Serving = release, 1
	return d
}

// answers counts the requests that each pod answers.
func (r *run) answers() map[string]int {
	r.Helper()
	all, client := map[string]int{}, r.client()
	for range requests {
		pod, err := r.ask(client, "http://web/")
		r.must(err)
		all[pod]++
	}
	return all
}

// awaitAnswers asks until the pods of the release answer as wanted, for as long as traffic may take to follow.
func (r *run) awaitAnswers(when string, wanted func(stable map[string]int, canaries int) bool) {
	r.Helper()
	for end := time.Now().Add(r.Following); ; {
		stable, canaries := r.answers(), 0
		for pod, n := range stable {
			if strings.HasPrefix(pod, nextSet+"-") {
				canaries += n
				delete(stable, pod)
			}
		}
		if wanted(stable, canaries) {
			return
		}
		if !time.Now().Before(end) {
			r.Fatalf("%s, pods of the release answer %d of %d requests, the stable ones %v", when, canaries, requests, stable)
		}
	}
}

// isDivided reports whether the requests are divided as after a Shift of releaseDivision.
func (r *run) isDivided(percent int) func(stable map[string]int, canaries int) bool {
	return func(stable map[string]int, canaries int) bool {
		if r.Weighs(nil) || percent%100 == 0 {
			return canaries == percent
		}
		return canaries > 0 && len(stable) == 1
	}
}

func (r *run) divideRelease() {
	r.apply(r.service())
	stable, canary := r.runBeside(2)
	for _, percent := range []int{0, 75, 100, 75, 0} {
		r.must(r.Shift(r.ctx, r.releaseDivision(percent)))
		r.awaitAnswers(fmt.Sprintf("at %d %%", percent), r.isDivided(percent))
	}
	if pods := r.pods("Deployment/web"); len(pods) != 2 || !areThere(stable, pods) {
		r.Errorf("the stable pods are %+v, and were %+v", pods, stable)
	}
	if pods := r.pods("Deployment/web-canary"); len(pods) != 2 || !areThere(canary, pods) {
		r.Errorf("the canary pods are %+v, and were %+v", pods, canary)
	}
}

// labelsOf returns the labels of the pods by name.
func labelsOf(pods []sluice.Pod) map[string]string {
	all := map[string]string{}
	for _, p := range pods {
		all[p.Name] = fmt.Sprint(p.Labels)
	}
	return all
}

func (r *run) unmarked() {
	r.apply(r.service())
	before := r.get(r.ref("Service", "web"))
	stable, _ := r.runBeside(2)
	for _, percent := range []int{0, 75, 100} {
		r.must(r.Shift(r.ctx, r.releaseDivision(percent)))
		r.must(r.Release(r.ctx, r.releaseDivision(percent)))
		r.same(before, "released")
		if was, is := labelsOf(stable), labelsOf(r.pods("Deployment/web")); fmt.Sprint(was) != fmt.Sprint(is) {
			r.Errorf("released at %d %%, the stable pods have the labels %v, and had %v", percent, is, was)
		}
	}
	r.awaitAnswers("released", func(stable map[string]int, canaries int) bool { return canaries > 0 && len(stable) == 2 })
}

func (r *run) nextRelease() {
	r.apply(r.service())
	_, adopted := r.runBeside(2)
	r.promote(2)
	const later = "later"
	canary := r.canary(1, Serves)
	for _, path := range [][]string{{"spec", "selector", "matchLabels"}, {"spec", "template", "metadata", "labels"}} {
		canary.Set(later, append(path, sluice.ReleaseLabel)...)
	}
	_, _, err := r.Beside(r.ctx, canary, "web-"+later)
	r.must(err)
	r.settle(canary.Ref())
	d := r.releaseDivision(75)
	d.Release = later
	r.must(r.Shift(r.ctx, d))
	r.must(r.Release(r.ctx, d))
	pods := r.pods("Deployment/web")
	if len(pods) != 2 || !areThere(adopted, pods) || fmt.Sprint(labelsOf(pods)) != fmt.Sprint(labelsOf(adopted)) {
		r.Errorf("the stable pods are %+v, and were %+v", pods, adopted)
	}
}
