package step_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local"
	"github.com/sluice-cd/sluice/internal/sweeptest"
)

// TestMain makes this binary the local account's agent, and the program that its pods run, as well.
func TestMain(m *testing.M) {
	if len(os.Args) == 5 && os.Args[1] == "local" {
		if err := local.RunAgent(context.Background(), os.Args[4]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) == 2 && os.Args[1] == "serve" {
		serve()
		return
	}
	os.Exit(sweeptest.Wrap(m).Run())
}

// serve answers with the version, and ends when it is told to, after what it has begun.
func serve() {
	server := &http.Server{Addr: os.Getenv("POD_IP") + ":8080",
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, os.Getenv("VERSION"))
		})}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		<-end
		_ = server.Shutdown(context.Background())
		close(done)
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	<-done
}

func shop(version string) []sluice.Object {
	web := workload("Deployment", "web", "web:1", fromConfigMap("web"))
	web.Set(2, "spec", "replicas")
	container := web.Field("spec", "template", "spec", "containers").([]any)[0].(map[string]any)
	container["ports"] = []any{map[string]any{"containerPort": 8080}}
	container["readinessProbe"] = map[string]any{"httpGet": map[string]any{"path": "/", "port": 8080}, "periodSeconds": 1}
	service := object("v1", "Service", "web", map[string]any{"spec": map[string]any{
		"selector": map[string]any{"app": "web"}, "ports": []any{
			map[string]any{"name": "http", "port": 8080}, // connections of unknown protocols end with their pod
		},
	}})
	config := object("v1", "ConfigMap", "web", map[string]any{"data": map[string]any{"VERSION": version}})
	return []sluice.Object{config, service, web}
}

// A visitor asks the shop all the time, and tells what it was told to whom waits for it. One failure ends it.
type visitor struct {
	stop    context.CancelFunc
	end     sync.WaitGroup
	failed  chan error
	answers chan string
}

func visit(ctx context.Context, address string) *visitor {
	ctx, cancel := context.WithCancel(ctx)
	v := &visitor{stop: cancel, failed: make(chan error, 1), answers: make(chan string)}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	v.end.Go(func() {
		for ctx.Err() == nil {
			answer, err := ask(client, address)
			if err != nil {
				v.failed <- err
				return
			}
			select {
			case v.answers <- answer:
			default:
			}
		}
	})
	return v
}

func ask(client *http.Client, address string) (string, error) {
	response, err := client.Get("http://" + address)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, raw)
	}
	return string(raw), err
}

// versions returns which versions the next 40 visits see. The first answer may be to a question of before.
func (v *visitor) versions(t *testing.T) string {
	t.Helper()
	seen := map[string]bool{}
	for i := range 41 {
		select {
		case answer := <-v.answers:
			seen[answer] = i > 0 || seen[answer]
		case err := <-v.failed:
			t.Fatalf("a visit failed: %v", err)
		}
	}
	var list []string
	for version, counts := range seen {
		if counts {
			list = append(list, version)
		}
	}
	slices.Sort(list)
	return strings.Join(list, "")
}

// TestRolloutOnProcesses rolls out and back on the local account, under load, without one failed request.
func TestRolloutOnProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	account, err := local.Dial(t.Context(), local.Config{Dir: t.TempDir(), Name: "cluster",
		Images: map[string]local.Image{"web:1": {Command: []string{program, "serve"}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := account.Down(context.Background()); err != nil {
			t.Error(err)
		}
	})
	b := newBench().add("apply", applying(true, shop("1")...))
	b.deps.Accounts["cluster"], b.deps.Now = account.Abilities(), time.Now
	b.id = "d0"
	b.mustRun(t, "apply")
	b.id = ""
	address, err := account.Address(t.Context(), namespace, "web", 8080)
	if err != nil {
		t.Fatal(err)
	}
	v := visit(t.Context(), address)
	defer v.end.Wait()
	defer v.stop()
	b.plan.Steps = nil
	b.add("apply", applying(true, shop("2")...)).add("canary/0", weight(50)).add("promote", promoting())
	done := map[string]sluice.Progress{}
	expect := func(id, want string) {
		t.Helper()
		if got := v.versions(t); got != want {
			t.Fatalf("after %s visitors see versions %q, want %q", id, got, want)
		}
	}
	expect("the first deployment", "1")
	for _, s := range []struct{ id, sees string }{{"apply", "1"}, {"canary/0", "12"}, {"promote", "2"}} {
		done[s.id] = b.mustRun(t, s.id)
		expect(s.id, s.sees)
	}
	for _, s := range []struct{ id, sees string }{{"promote", "1"}, {"canary/0", "1"}, {"apply", "1"}} {
		if err := b.must(t, s.id).Undo(t.Context(), done[s.id]); err != nil {
			t.Fatalf("undo %s: %v", s.id, err)
		}
		expect("undo of "+s.id, s.sees)
	}
	pods, err := account.Pods(t.Context(), namespace)
	if err != nil || len(pods) != 2 {
		t.Errorf("%d pods are left, want 2: %v, %v", len(pods), pods, err)
	}
}
