package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-cd/sluice/internal/local/proxy"
)

func TestDivision(t *testing.T) {
	b := proxy.NewBalancer()
	b.Set([]proxy.Endpoint{{Pod: "a"}, {Pod: "b"}, {Pod: "c", Canary: true}})
	for _, percent := range []int{0, 1, 7, 10, 33, 50, 99, 100} {
		b.Shift(percent)
		count, longest, run := map[string]int{}, 0, 0
		for range 1000 {
			e, release, err := b.Acquire(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			release()
			count[e.Pod]++
			run++
			if e.Canary {
				longest, run = max(longest, run), 0
			}
		}
		if count["c"] != 10*percent {
			t.Errorf("at %d %% the canary got %d of 1000", percent, count["c"])
		}
		if d := count["a"] - count["b"]; d < -1 || d > 1 {
			t.Errorf("at %d %% the stable pods got %d and %d", percent, count["a"], count["b"])
		}
		if percent > 0 && longest > (100+percent-1)/percent {
			t.Errorf("at %d %% the canary waited for %d requests", percent, longest)
		}
	}
}

func TestSidesWithoutPods(t *testing.T) {
	stable, canary := proxy.Endpoint{Pod: "s"}, proxy.Endpoint{Pod: "c", Canary: true}
	for name, tt := range map[string]struct {
		endpoints []proxy.Endpoint
		percent   int
		want      string
	}{
		"no canary pod":             {[]proxy.Endpoint{stable}, 100, "s"},
		"no stable pod":             {[]proxy.Endpoint{canary}, 1, "c"},
		"no stable pod, no traffic": {[]proxy.Endpoint{canary}, 0, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := proxy.NewBalancer()
			b.Set(tt.endpoints)
			b.Shift(tt.percent)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			e, _, err := b.Acquire(ctx, nil)
			if e.Pod != tt.want || (err != nil) != (tt.want == "") {
				t.Errorf("%s: %v, %v, want %q", name, e, err, tt.want)
			}
		})
	}
}

func TestAcquireWaitsAndDrainWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := proxy.NewBalancer()
		got := make(chan func())
		go func() {
			_, release, err := b.Acquire(t.Context(), nil)
			if err != nil {
				t.Error(err)
			}
			got <- release
		}()
		synctest.Wait()
		b.Set([]proxy.Endpoint{{Pod: "late"}})
		release := <-got
		drained := make(chan struct{})
		go func() { b.Drain(t.Context(), "late"); close(drained) }()
		synctest.Wait()
		select {
		case <-drained:
			t.Fatal("Drain returned with a request under way")
		default:
		}
		release()
		<-drained
	})
}

// TestDeadEndpoint has one endpoint that refuses connections: the other one answers every request, its body whole.
func TestDeadEndpoint(t *testing.T) {
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	live := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Seen-For", strings.Join(r.Header["X-Forwarded-For"], ","))
		w.Header().Set("Seen-Host", r.Host+" "+r.Header.Get("X-Forwarded-Host"))
		_, _ = io.Copy(w, r.Body)
	}))
	defer live.Close()
	address := freeAddress(t)
	p, err := proxy.Listen(address, true)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.Set([]proxy.Endpoint{{Pod: "dead", Address: dead.Addr().String()},
		{Pod: "live", Address: live.Listener.Addr().String()}})
	for range 20 {
		r, err := http.NewRequest(http.MethodPost, "http://"+address, strings.NewReader("an order"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Forwarded-For", "10.0.0.1")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || string(b) != "an order" || err != nil {
			t.Fatalf("%s: %q, %v", resp.Status, b, err)
		}
		if got := resp.Header.Get("Seen-For"); got != "10.0.0.1, 127.0.0.1" {
			t.Errorf("X-Forwarded-For is %q", got)
		}
		if got := resp.Header.Get("Seen-Host"); got != address+" "+address {
			t.Errorf("Host and X-Forwarded-Host are %q", got)
		}
	}
}

// A connection that comes before the program listens is served once it does.
func TestEndpointThatListensLate(t *testing.T) {
	for _, isHTTP := range []bool{true, false} {
		t.Run(fmt.Sprintf("HTTP %t", isHTTP), func(t *testing.T) {
			// of this process alone: another one would take a port that is free for a moment
			late := fmt.Sprintf("127.253.%d.%d:8080", os.Getpid()/256%256, os.Getpid()%256)
			address := fmt.Sprintf("127.252.%d.%d:8080", os.Getpid()/256%256, os.Getpid()%256)
			p, err := proxy.Listen(address, isHTTP)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			p.Set([]proxy.Endpoint{{Pod: "late", Address: late}})
			answer := make(chan error, 1)
			go func() {
				resp, err := http.Get("http://" + address)
				if err == nil && resp.StatusCode != http.StatusTeapot {
					err = errors.New(resp.Status)
				}
				answer <- err
			}()
			select {
			case err := <-answer:
				t.Fatalf("there is an answer before the program listens: %v", err)
			case <-time.After(300 * time.Millisecond):
			}
			l, err := net.Listen("tcp", late)
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusTeapot)
			}))
			server.Listener = l
			server.Start()
			defer server.Close()
			if err := <-answer; err != nil {
				t.Error(err)
			}
		})
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestCloseFreesThePort opens and closes a port while processes are started, which inherit descriptors for a moment.
func TestCloseFreesThePort(t *testing.T) {
	address := fmt.Sprintf("127.254.%d.%d:8080", os.Getpid()/256%256, os.Getpid()%256)
	stop := make(chan struct{})
	var starting sync.WaitGroup
	starting.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if err := exec.Command("true").Run(); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	for i := range 400 {
		port, err := proxy.Listen(address, i%2 == 0)
		if err != nil {
			t.Error(err)
			break
		}
		if err := port.Close(); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	starting.Wait()
}
