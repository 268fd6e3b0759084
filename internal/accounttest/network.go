package accounttest

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

var reaching = []scenario{
	{"NotFound names the Service or the port that does not exist", nil, (*run).unreachable},
	{"a Service answers at its address", []Ability{Addresses}, (*run).address},
	{"Transport reaches a Service whatever host a request names", nil, (*run).transport},
}

func (r *run) unreachable() {
	r.apply(r.service())
	for _, test := range []struct {
		service string
		port    int
		word    string
	}{{"missing", 8080, "missing"}, {"web", 81, "81"}} {
		_, err := r.Address(r.ctx, r.Namespace, test.service, test.port)
		r.wants(err, sluice.NotFound, test.word)
		_, err = r.Transport(r.ctx, r.Namespace, test.service, test.port)
		r.wants(err, sluice.NotFound, test.word)
	}
}

// ask returns the name of the pod that answers.
func (r *run) ask(client *http.Client, url string) (string, error) {
	request, err := http.NewRequestWithContext(r.ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = sluice.Errorf(sluice.Failed, "%s: %s", response.Status, text)
	}
	for word := range strings.FieldsSeq(string(text)) {
		if strings.HasPrefix(word, "web") {
			return word, err
		}
	}
	return string(text), err
}

func (r *run) address() {
	r.apply(r.service())
	r.start(r.workload("Deployment", "web", 1, Serves, 1))
	at, err := r.Address(r.ctx, r.Namespace, "web", 8080)
	r.must(err)
	if again, err := r.Address(r.ctx, r.Namespace, "web", 8080); again != at || err != nil {
		r.Errorf("first it is at %s, then at %s, %v", at, again, err)
	}
	want := r.pods("Deployment/web")[0].Name
	if got, err := r.ask(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		"http://"+at+"/"); err != nil || got != want {
		r.Errorf("%q answers, want %q: %v", got, want, err)
	}
}

func (r *run) transport() {
	r.apply(r.service())
	r.start(r.workload("Deployment", "web", 1, Serves, 1))
	want := r.pods("Deployment/web")[0].Name
	for _, url := range []string{"http://web/", "http://elsewhere.example.org:99/a?b=c"} {
		if got, err := r.ask(r.client(), url); err != nil || got != want {
			r.Errorf("at %s %q answers, want %q: %v", url, got, want, err)
		}
	}
}

// client sends every request to Service/web.
func (r *run) client() *http.Client {
	r.Helper()
	transport, err := r.Transport(r.ctx, r.Namespace, "web", 8080)
	r.must(err)
	return &http.Client{Transport: transport}
}

var shifting = []scenario{
	{"Shift divides the traffic", nil, (*run).divide},
	{"no traffic goes to a side without a ready pod", nil, (*run).unreadySide},
	{"Release puts back what was there, for every pod", nil, (*run).release},
	{"releasing what was never shifted changes nothing", nil, (*run).neverShifted},
	{"a Service that does not exist is NotFound, a percentage above 100 is Invalid", nil, (*run).badDivision},
}

func (r *run) division(percent int) sluice.Division {
	return sluice.Division{
		Namespace: r.Namespace, Service: "web", Declared: true, Stable: "web", Canary: "web-canary", Percent: percent,
	}
}

// rollout is Service/web over two stable pods and a canary.
func (r *run) rollout(canary Program) {
	r.Helper()
	r.apply(r.service())
	r.start(r.workload("Deployment", "web", 2, Serves, 1))
	r.must(r.Shift(r.ctx, r.division(0)))
	o := r.workload("Deployment", "web-canary", 1, canary, 2)
	if r.apply(o); canary != Breaks {
		r.settle(o.Ref())
	}
}

// requests is how many requests are counted: a division by weights is exact over this number.
const requests = 100

// canaries returns how many of the requests canary pods answer. Every request must be answered.
func (r *run) canaries() int {
	r.Helper()
	n, client := 0, r.client()
	for range requests {
		pod, err := r.ask(client, "http://web/")
		r.must(err)
		if strings.HasPrefix(pod, "web-canary-") {
			n++
		}
	}
	return n
}

// awaitCanaries counts until the given number of requests goes to canaries, for as long as traffic may take to follow.
func (r *run) awaitCanaries(when string, wanted func(n int) bool) {
	r.Helper()
	for end := time.Now().Add(r.Following); ; {
		n := r.canaries()
		if wanted(n) {
			return
		}
		if !time.Now().Before(end) {
			r.Fatalf("%s, canary pods answer %d of %d requests", when, n, requests)
		}
	}
}

func (r *run) divide() {
	r.rollout(Serves)
	for _, percent := range []int{0, 10, 50, 100, 100, 50, 0} {
		r.must(r.Shift(r.ctx, r.division(percent)))
		r.awaitCanaries("after Shift", func(n int) bool {
			if !r.Weighs(nil) && percent%100 != 0 {
				return n > 0 && n < requests // the numbers of pods divide
			}
			return n == percent
		})
	}
}

func (r *run) unreadySide() {
	r.rollout(Breaks)
	for _, percent := range []int{50, 100} {
		if err := r.Shift(r.ctx, r.division(percent)); err != nil {
			r.wants(err, sluice.Failed, "web-canary")
		}
		r.awaitCanaries("with a canary that is not ready", func(n int) bool { return n == 0 })
	}
	r.must(r.Release(r.ctx, r.division(100)))
	r.awaitCanaries("released", func(n int) bool { return n == 0 })
}

func (r *run) release() {
	r.apply(r.service())
	before := r.get(r.ref("Service", "web"))
	r.rollout(Serves)
	for _, percent := range []int{0, 50, 100} {
		r.must(r.Shift(r.ctx, r.division(percent)))
		r.must(r.Release(r.ctx, r.division(percent)))
		r.same(before, "released")
		r.awaitCanaries("released", func(n int) bool { return n > 0 && n < requests })
		r.must(r.Release(r.ctx, r.division(percent)))
	}
}

func (r *run) neverShifted() {
	r.apply(r.service())
	r.start(r.workload("Deployment", "web", 1, Serves, 1))
	r.start(r.workload("Deployment", "web-canary", 1, Serves, 2))
	before := r.get(r.ref("Service", "web"))
	r.must(r.Release(r.ctx, r.division(0)))
	r.same(before, "released")
	if now := r.get(before.Ref()); now.Text("metadata", "resourceVersion") != before.Text("metadata", "resourceVersion") {
		r.Error("the Service was written")
	}
	r.awaitCanaries("never shifted", func(n int) bool { return n > 0 && n < requests })
}

func (r *run) badDivision() {
	d := r.division(50)
	r.wants(r.Shift(r.ctx, d), sluice.NotFound, "web")
	r.rollout(Serves)
	for _, percent := range []int{-1, 101} {
		r.wants(r.Shift(r.ctx, r.division(percent)), sluice.Invalid)
	}
}
