package local_test

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
)

// canary is a second Deployment whose pods are on the canary track.
func canary(version string) string {
	return webDeployment("web-canary", version, "1", ", "+sluice.TrackLabel+": canary")
}

func TestShiftIsExact(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(webService + "\n---\n" + webDeployment("web", "1", "2", "") + "\n---\n" + canary("2"))
	a.awaitSettled("Deployment/web")
	a.awaitSettled("Deployment/web-canary")

	for _, percent := range []int{0, 10, 50, 100, 0} {
		if err := a.Shift(a.ctx, sluice.Division{Namespace: "test", Service: "web", Percent: percent}); err != nil {
			t.Fatal(err)
		}
		got := 0
		for range 100 {
			if strings.HasPrefix(a.fetch("web", "/"), "2 ") {
				got++
			}
		}
		if got != percent {
			t.Errorf("of 100 requests at %d %%, %d went to the canary", percent, got)
		}
	}
}

// TestShiftSurvives applies the Service again and restarts the agent; the division stays.
func TestShiftSurvives(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(webService + "\n---\n" + webDeployment("web", "1", "1", "") + "\n---\n" + canary("2"))
	a.awaitSettled("Deployment/web")
	a.awaitSettled("Deployment/web-canary")
	if err := a.Shift(a.ctx, sluice.Division{Namespace: "test", Service: "web", Percent: 100}); err != nil {
		t.Fatal(err)
	}
	a.apply(strings.Replace(webService, "name: web}", "name: web, labels: {changed: 'yes'}}", 1))
	a.killAgent()
	a.dial()
	a.awaitSettled("Deployment/web-canary")
	if body := a.fetch("web", "/"); !strings.HasPrefix(body, "2 ") {
		t.Errorf("the Service answers %q, want the canary", body)
	}
	// A side without a ready pod gets nothing.
	if err := a.Delete(a.ctx, ref(t, "Deployment/web-canary")); err != nil {
		t.Fatal(err)
	}
	if body := a.fetch("web", "/"); !strings.HasPrefix(body, "1 ") {
		t.Errorf("without canary pods the Service answers %q", body)
	}
}

func TestShiftRefuses(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(webService)
	for name, tt := range map[string]struct {
		service string
		percent int
		want    sluice.Code
	}{
		"an unknown Service": {"other", 10, sluice.NotFound},
		"more than all":      {"web", 101, sluice.Invalid},
		"less than nothing":  {"web", -1, sluice.Invalid},
	} {
		if err := a.Shift(a.ctx,
			sluice.Division{Namespace: "test", Service: tt.service, Percent: tt.percent}); sluice.ErrorCode(err) != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}

// TestTCP sends through a Service that is not HTTP, beginning before a pod is there, and closes one direction first.
func TestTCP(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(`
apiVersion: v1
kind: Service
metadata: {name: echo}
spec:
  selector: {app: echo}
  ports: [{port: 7000}]`)
	address, err := a.Address(a.ctx, "test", "echo", 7000)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	text := strings.Repeat("0123456789", 20_000)
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(conn, text)
		if err == nil {
			err = conn.(*net.TCPConn).CloseWrite()
		}
		sent <- err
	}()
	a.apply(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo}
spec:
  selector: {matchLabels: {app: echo}}
  template:
    metadata: {labels: {app: echo}}
    spec:
      containers: [{name: echo, image: "echo:1", readinessProbe: {tcpSocket: {port: 7000}}}]`)
	b, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(b), text+" echo-") {
		t.Errorf("got %d bytes back that are not what was sent and the pod's name", len(b))
	}
}
