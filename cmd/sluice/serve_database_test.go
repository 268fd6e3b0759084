package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/api"
	"github.com/sluice-cd/sluice/internal/postgrestest"
	"github.com/sluice-cd/sluice/internal/service"
)

// A second server of one database continues the deployment of the first when that is killed, and nothing is done twice.
func TestServersShareADatabase(t *testing.T) {
	f := newFleet(t, postgrestest.Shared(t).Address(postgrestest.Database(t, "servers")), 2)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	started, err := f.clients[0].Deploy(ctx, f.bundle("shop"))
	must(t, err)
	// The second server sees what the first one does.
	waitFor(t, ctx, f.clients[1], started.ID, func(e sluice.Event) bool { return e.Kind == sluice.StepProgressed })
	must(t, f.stops[0](unix.SIGKILL))
	killed := time.Now()
	f.approve(1, started.ID)
	f.ended(ctx, 1, started.ID)
	t.Logf("continued and ended %s after the kill", time.Since(killed).Round(time.Millisecond))
	must(t, f.stops[1](unix.SIGTERM))
}

// A server without the key of the others is refused, and no secret is in what it says.
func TestServerNeedsTheKeyOfTheOthers(t *testing.T) {
	address := postgrestest.Shared(t).Address(postgrestest.Database(t, "keys"))
	first, second := t.TempDir(), t.TempDir()
	env := append(os.Environ(), "SLUICE_DATABASE="+address)
	writeServer(t, first, "")
	url, stop, err := startServer(first, env, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, err := api.Connect(url, func(context.Context) (string, error) { return "", nil }, &http.Client{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := gatedBundle()
	secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: hunter22}\n"
	b.Files["manifests/secret.yaml"] = []byte(secret)
	b.Files["deploy.yaml"] = append(b.Files["deploy.yaml"], "  - path: manifests/secret.yaml\n"...)
	if _, err := c.Deploy(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := stop(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	writeServer(t, second, "")
	_, _, err = startServer(second, env, "127.0.0.1:0")
	if err == nil {
		t.Fatal("a server without the key started")
	}
}

func writeServer(t *testing.T, dir, more string) {
	t.Helper()
	text := "accounts:\n  local: {type: local}\nserver:\n  database: {env: SLUICE_DATABASE}\n" + more + "\n"
	if err := os.WriteFile(filepath.Join(dir, "sluice.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func gatedBundle() service.Bundle {
	deploy := strings.Join([]string{
		"version: v1", "kind: kubernetes", "application: shop",
		"targets:", "  staging:", "    account: local", "    namespace: staging", "    constraints:",
		"      beforeDeployment:", "        - pause: {untilApproved: true}",
		"manifests:", "  - path: manifests/config.yaml", "",
	}, "\n")
	return service.Bundle{File: "deploy.yaml", Files: map[string][]byte{
		"deploy.yaml":           []byte(deploy),
		"manifests/config.yaml": []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\n"),
	}}
}

// waitFor reads the updates of a deployment up to the event that is wanted.
func waitFor(
	t *testing.T, ctx context.Context, c *api.Client, id sluice.DeploymentID, wanted func(sluice.Event) bool,
) (events []sluice.Event) {
	t.Helper()
	for u, err := range c.Watch(ctx, id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if u.Event == nil {
			continue
		}
		if events = append(events, *u.Event); wanted(*u.Event) {
			return events
		}
	}
	t.Fatalf("it never came: %v", events)
	return nil
}

func over(e sluice.Event) bool { return e.Kind == sluice.DeploymentEnded }
