package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
)

// asDemo is the environment variable that makes this test binary the demo.
const asDemo = "DEMO_ARGS"

func TestMain(m *testing.M) {
	if args, is := os.LookupEnv(asDemo); is {
		os.Args = append(os.Args[:1], strings.Fields(args)...)
		main()
		return
	}
	os.Exit(m.Run())
}

// The pages of the demo show deployments in several states, and Ctrl-C leaves nothing behind.
func TestServe(t *testing.T) {
	s, err := newStage("serve-demo")
	if err != nil {
		t.Fatal(err)
	}
	const patience = 9 * time.Minute // go test ends after 10
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asDemo+"=serve --listen 127.0.0.1:0")
	var said, warned bytes.Buffer
	cmd.Stderr = &warned
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	hung := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer hung.Stop()
	end := sync.OnceValue(func() error { return errors.Join(cmd.Process.Signal(syscall.SIGINT), cmd.Wait()) })
	defer end()
	address := greeted(io.TeeReader(out, &said))
	go func() { _, _ = io.Copy(io.Discard, out) }() // the rest is not wanted
	if address != "" {
		look(t, ctx, address)
	}
	if err := end(); err != nil || address == "" {
		t.Fatalf("it ended: %v; it said:\n%s%s", err, said.String(), warned.String())
	}
	if _, err := os.Stat(s.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its files are still there: %v", err)
	}
	if left := processesBelow(t, s.state); len(left) > 0 {
		t.Errorf("processes are left: %q", left)
	}
}

// greeted reads what the demo says until it is ready, and returns its address; "": it ended before.
func greeted(out io.Reader) (address string) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, rest, found := strings.Cut(lines.Text(), "export SLUICE_SERVER="); found {
			address = rest
		}
		if strings.HasPrefix(lines.Text(), "Ctrl-C") {
			return address
		}
	}
	return ""
}

// look asks for what a person and a program would ask.
func look(t *testing.T, ctx context.Context, address string) {
	t.Helper()
	if page := get(t, ctx, address+"/"); !strings.Contains(page, "waits: an approval") {
		t.Errorf("the overview does not say what waits:\n%s", page)
	}
	var list struct{ Items []sluice.Deployment }
	if err := json.Unmarshal([]byte(get(t, ctx, address+"/api/v1/deployments")), &list); err != nil {
		t.Fatal(err)
	}
	want := []sluice.Status{"", sluice.StatusRolledBack, sluice.StatusFailed, sluice.StatusSucceeded}
	var outcomes []sluice.Status
	for _, d := range list.Items {
		outcomes = append(outcomes, d.Outcome)
	}
	if !slices.Equal(outcomes, want) {
		t.Fatalf("the outcomes are %q, want %q", outcomes, want)
	}
	page := get(t, ctx, address+"/deployments/"+string(list.Items[1].ID))
	if !strings.Contains(page, "documents missing") {
		t.Errorf("the deployment that was rolled back does not show why:\n%s", page)
	}
}

func get(t *testing.T, ctx context.Context, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v: %s", url, answer.Status, err, text)
	}
	return string(text)
}

// processesBelow returns the command lines of processes that name a file of the directory.
func processesBelow(t *testing.T, dir string) (found []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		text, err := os.ReadFile(file)
		if err == nil && bytes.Contains(text, []byte(dir)) { // otherwise it has ended, or belongs to somebody else
			found = append(found, string(bytes.ReplaceAll(text, []byte{0}, []byte(" "))))
		}
	}
	return found
}
