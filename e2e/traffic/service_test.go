package traffic_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice"
)

// following is how long kube-proxy may take after a shift has returned.
const following = 5 * time.Second

// A caller sends requests all the time, each over a new connection, and knows which pod answered.
type caller struct {
	address string
	client  http.Client
	stop    context.CancelFunc
	done    sync.WaitGroup

	mu     sync.Mutex
	failed []string
	sent   int
}

func (s *shop) call() *caller {
	ctx, stop := context.WithCancel(context.Background())
	c := &caller{
		address: fmt.Sprintf("http://%s:8080/", s.get("Service", "web").Text("spec", "clusterIP")),
		client:  http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}, stop: stop,
	}
	c.awaitAnswers(s)
	c.done.Go(func() {
		for ctx.Err() == nil {
			_, err := c.ask()
			c.mu.Lock()
			c.sent++
			if err != nil {
				c.failed = append(c.failed, err.Error())
			}
			c.mu.Unlock()
		}
	})
	s.Cleanup(func() {
		stop()
		c.done.Wait()
		if c.sent < 100 || len(c.failed) > 0 {
			s.Errorf("%d of %d requests failed: %s", len(c.failed), c.sent, strings.Join(c.failed, "\n"))
		}
	})
	return c
}

// awaitAnswers returns when the Service answers steadily: a node takes a moment to learn of a new one, and until then
// nobody answers at its address.
func (c *caller) awaitAnswers(s *shop) {
	s.Helper()
	early := caller{address: c.address, client: c.client}
	early.client.Timeout = time.Second
	deadline := time.Now().Add(time.Minute)
	for answered := 0; answered < 20; answered++ {
		_, err := early.ask()
		if err == nil {
			continue
		}
		if time.Now().After(deadline) {
			s.Fatalf("Service/web does not answer: %v", err)
		}
		answered = -1
	}
}

func (c *caller) ask() (string, error) {
	resp, err := c.client.Get(c.address)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, text)
	}
	return side(strings.TrimPrefix(strings.TrimSpace(string(text)), "hello from ")), err
}

// answers asks often enough and returns who answered.
func (c *caller) answers(s *shop) map[string]int {
	s.Helper()
	all := map[string]int{}
	for range 60 {
		who, err := c.ask()
		if err != nil {
			s.Error(err)
		}
		all[who]++
	}
	return all
}

// only fails unless, after kube-proxy has followed, only the side answers.
func (c *caller) only(s *shop, who string) {
	s.Helper()
	for deadline := time.Now().Add(following); ; {
		all := c.answers(s)
		if len(all) == 1 && all[who] > 0 {
			return
		}
		if time.Now().After(deadline) {
			s.Errorf("%v answered, want only the %s pods", all, who)
			return
		}
	}
}

func TestPlainServiceGoesToOneSideOrBothAndComesBack(t *testing.T) {
	s := newShop(t)
	was := s.get("Service", "web")
	c := s.call()
	s.shift(0)
	s.withCanary(2)
	c.only(s, "stable")
	s.unwritten("Service", "web", func() { s.shift(0) })
	s.shift(50)
	s.unchanged(was)
	for deadline := time.Now().Add(following); ; {
		if all := c.answers(s); all["stable"] > 0 && all["canary"] > 0 {
			break
		} else if time.Now().After(deadline) {
			t.Errorf("%v answered, want pods of both sides", all)
			break
		}
	}
	s.shift(100)
	c.only(s, "canary")
	s.unwritten("Service", "web", func() { s.shift(100) })

	// At promotion the stable pods are replaced while the canary has the traffic. They get it back with their new hash.
	s.put(deployment("web", 2, "", "2"))
	s.ready("web")
	c.only(s, "canary")
	s.shift(0)
	c.only(s, "stable")
	if err := s.of("Deployment").Delete(t.Context(), "web-canary", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	s.release()
	s.unchanged(was)
	s.unwritten("Service", "web", func() { s.release() })
	c.only(s, "stable")
}

func TestNoTrafficGoesToASideWithoutAReadyPod(t *testing.T) {
	s := newShop(t)
	s.put(httpRoute)
	s.shift(0)
	was := s.get("Service", "web")
	for _, by := range [][]sluice.Traffic{nil,
		{{Gateway: []sluice.GatewayRoute{{Kind: "HTTPRoute", Name: "shop", Service: "web"}}}}} {
		err := s.account.Shift(t.Context(), s.division(100, by...))
		if sluice.ErrorCode(err) != sluice.Failed || !strings.Contains(err.Error(), "Deployment/web-canary") ||
			sluice.ErrorHint(err) == "" {
			t.Errorf("got %v, hint %q", err, sluice.ErrorHint(err))
		}
	}
	if diff := cmp.Diff(was["spec"], s.get("Service", "web")["spec"]); diff != "" {
		t.Errorf("the Service is changed all the same (-was +now):\n%s", diff)
	}
}

// A divided Service would send nothing to other pods that serve it too.
func TestServiceOfOtherPodsIsNotDivided(t *testing.T) {
	s := newShop(t)
	partly := func(text, app string) string {
		text = strings.ReplaceAll(text, "app: web", "app: "+app)
		return strings.Replace(text, "labels: {app: "+app, "labels: {part: shop, app: "+app, 1)
	}
	s.put(partly(deployment("web", 2, "", "1"), "web"))
	s.put(partly(deployment("other", 1, "", "1"), "other"))
	was := s.put(strings.ReplaceAll(service("web"), "app: web", "part: shop"))
	s.ready("web")
	s.ready("other")
	err := s.account.Shift(t.Context(), s.division(0))
	if sluice.ErrorCode(err) != sluice.Unsupported || !strings.Contains(err.Error(), "Pod/other-") ||
		sluice.ErrorHint(err) == "" {
		t.Errorf("got %v, hint %q", err, sluice.ErrorHint(err))
	}
	s.unchanged(was)

	ours := s.division(0)
	ours.Declared = false
	if err := s.account.Shift(t.Context(), ours); err != nil {
		t.Errorf("a Service that only stands there: %v", err)
	}
	s.unchanged(was)
}

// A preview Service shows the new version, whatever the active Service does.
func TestBlueGreenServices(t *testing.T) {
	s := newShop(t)
	s.put(service("preview"))
	active, preview := s.get("Service", "web"), s.get("Service", "preview")
	by := sluice.Traffic{Kubernetes: []sluice.BlueGreenServices{{ActiveService: "web", PreviewService: "preview"}}}
	show := s.division(100, by)
	show.Service = "preview"
	s.shift(0, by)
	s.withCanary(1)
	if err := s.account.Shift(t.Context(), show); err != nil {
		t.Fatal(err)
	}
	if got := s.get("Service", "preview").Text("spec", "selector", sluice.TrackLabel); got != sluice.TrackCanary {
		t.Errorf("the preview selects the track %q", got)
	}
	if got := s.get("Service", "web").Text("spec", "selector", "pod-template-hash"); got == "" {
		t.Error("the active Service selects the new version too")
	}
	s.release(by)
	if err := s.account.Release(t.Context(), show); err != nil {
		t.Fatal(err)
	}
	s.unchanged(active)
	s.unchanged(preview)
}
