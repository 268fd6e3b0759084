package local_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice"
)

// TestParallelTargets has three targets in each of three accounts try, apply and delete Services with the same port at
// once, as their steps do.
func TestParallelTargets(t *testing.T) {
	t.Parallel()
	const accounts, targets, rounds = 3, 3, 8
	var all sync.WaitGroup
	for range accounts {
		a := open(t)
		for i := range targets {
			service := objects(t, webService)[0]
			service.Set(fmt.Sprintf("target-%d", i), "metadata", "namespace")
			all.Go(func() {
				for range rounds {
					if err := a.tryApplyDelete(service); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	all.Wait()
}

func (a *account) tryApplyDelete(o sluice.Object) error {
	for _, dryRun := range []bool{true, false} {
		if _, _, err := a.Apply(a.ctx, o, dryRun); err != nil {
			return err
		}
	}
	return a.Delete(a.ctx, o.Ref())
}

// TestDryRunTakesNoPort tries a Service whose port cannot even be bound for a moment: a socket has it that does not
// listen.
func TestDryRunTakesNoPort(t *testing.T) {
	t.Parallel()
	a := open(t)
	l, err := net.Listen("tcp", ":0") // a port that no program has on every address, as one of another test may have 8080
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	service := objects(t, strings.Replace(webService, "8080", strconv.Itoa(port), 1))[0]
	tried, _, err := a.Apply(a.ctx, service, true)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	at := netip.MustParseAddr(tried.Text("spec", "clusterIP"))
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: at.As4()}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Apply(a.ctx, service, true); err != nil {
		t.Errorf("the dry run binds the port: %v", err)
	}
}

// TestTakenByWildcard names a program that listens on every address, in IPv6 too.
func TestTakenByWildcard(t *testing.T) {
	t.Parallel()
	a := open(t)
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, dryRun := range []bool{true, false} {
		_, _, err := a.Apply(a.ctx, objects(t, strings.Replace(webService, "8080", port, 1))[0], dryRun)
		if want := fmt.Sprintf("(process %d)", os.Getpid()); sluice.ErrorCode(err) != sluice.Exhausted ||
			!strings.Contains(err.Error(), want) || !strings.Contains(sluice.ErrorHint(err), "sport = :"+port) {
			t.Errorf("Apply: %v (hint %q), want it to name %s", err, sluice.ErrorHint(err), want)
		}
	}
}

// TestPortIsFreeAgain has a Service whose port was taken when the agent started.
func TestPortIsFreeAgain(t *testing.T) {
	t.Parallel()
	a := open(t)
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	a.apply(webService)
	a.down()
	service := strings.ReplaceAll(webService, "8080", port)
	a.rewrite("objects/Service/test/web.json", "8080", port) // as if the program had come after the Service
	a.dial()
	if _, _, err := a.Apply(a.ctx, objects(t, service)[0], false); sluice.ErrorCode(err) != sluice.Exhausted {
		t.Errorf("Apply while the port is taken: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	a.apply(service)
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Address(a.ctx, "test", "web", number); err != nil {
		t.Errorf("Address of the port: %v", err)
	}
}

// rewrite replaces text in a file of the account.
func (a *account) rewrite(file, from, to string) {
	a.t.Helper()
	path := filepath.Join(a.dir, file)
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(strings.ReplaceAll(string(b), from, to)), 0o600)
	}
	if err != nil {
		a.t.Fatal(err)
	}
}

// block returns the x of the account's 127.x.0.0/16.
func (a *account) block() int {
	a.t.Helper()
	var n struct{ Second int }
	b, err := os.ReadFile(filepath.Join(a.dir, "network.json"))
	if err == nil {
		err = json.Unmarshal(b, &n)
	}
	if err != nil {
		a.t.Fatal(err)
	}
	return n.Second
}

// wish records that the account had the block before. Its agent must not run.
func (a *account) wish(block int) {
	a.t.Helper()
	record := fmt.Appendf(nil, `{"second":%d}`, block)
	if err := os.WriteFile(filepath.Join(a.dir, "network.json"), record, 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func (a *account) down() {
	a.t.Helper()
	if err := a.Down(a.ctx); err != nil {
		a.t.Fatal(err)
	}
}

const speaking = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: speak}
spec:
  selector: {matchLabels: {app: speak}}
  template:
    metadata: {labels: {app: speak}}
    spec: {containers: [{name: main, image: "speak:1"}]}`

// TestBlockSurvivesTheAgent has pods that listen nowhere. Their addresses stay theirs when their agent has died.
func TestBlockSurvivesTheAgent(t *testing.T) {
	t.Parallel()
	first, second := open(t), open(t)
	first.apply(speaking)
	first.awaitSettled("Deployment/speak")
	first.killAgent()
	second.down()
	second.wish(first.block())
	second.dial()
	if first.block() == second.block() {
		t.Errorf("both accounts use 127.%d.0.0/16", first.block())
	}
	first.awaitSettled("Deployment/speak")
}

// TestAccountMoves takes the block of an account that is down. The account comes back in another one, with all of its
// Services, and takes objects that were read before.
func TestAccountMoves(t *testing.T) {
	t.Parallel()
	first, second := open(t), open(t)
	first.apply(webService + "\n---\n" + webDeployment("web", "1", "1", ""))
	first.awaitSettled("Deployment/web")
	before, read := first.block(), first.get("Service/web")
	first.down()
	second.down()
	second.wish(before)
	second.dial()
	first.dial()
	if first.block() == before || second.block() != before {
		t.Errorf("the accounts use %d and %d; the first one had %d", first.block(), second.block(), before)
	}
	first.awaitSettled("Deployment/web")
	want := strings.Replace(read.Text("spec", "clusterIP"), fmt.Sprintf("127.%d.", before),
		fmt.Sprintf("127.%d.", first.block()), 1)
	if got := first.get("Service/web").Text("spec", "clusterIP"); got != want {
		t.Errorf("the Service has the address %s, want %s", got, want)
	}
	first.fetch("web", "/")
	if _, outcome, err := first.Apply(first.ctx, read, false); err != nil || outcome != sluice.Unchanged {
		t.Errorf("apply what was read before: %v, %v", outcome, err)
	}
	if err := first.Delete(first.ctx, read.Ref()); err != nil {
		t.Fatal(err)
	}
	if o, _, err := first.Restore(first.ctx, read, false); err != nil || o.Text("spec", "clusterIP") != want {
		t.Errorf("restore what was read before: %s, %v, want the address %s", o.Text("spec", "clusterIP"), err, want)
	}
}

// TestBlockIsHeld has pods whose block another program holds: the error names the program, and the pods can be ended.
func TestBlockIsHeld(t *testing.T) {
	t.Parallel()
	a := open(t)
	a.apply(speaking)
	a.awaitSettled("Deployment/speak")
	a.killAgent()
	l, err := net.Listen("unix", fmt.Sprintf("@sluice-local-127.%d", a.block()))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = a.Pods(a.ctx, "")
	if want := fmt.Sprintf("(process %d)", os.Getpid()); sluice.ErrorCode(err) != sluice.Exhausted ||
		!strings.Contains(err.Error(), want) || !strings.Contains(sluice.ErrorHint(err), "sluice local down") {
		t.Errorf("Pods: %v (hint %q), want it to name %s", err, sluice.ErrorHint(err), want)
	}
	a.down()
}

// TestCopiedDirectory starts the copy of an account's directory. The copy gets processes and a block of its own.
func TestCopiedDirectory(t *testing.T) {
	t.Parallel()
	original, twin := open(t), open(t)
	original.apply(speaking)
	original.awaitSettled("Deployment/speak")
	original.killAgent()
	twin.down()
	twin.dir = filepath.Join(twin.dir, "twin")
	if err := os.CopyFS(twin.dir, regular{os.DirFS(original.dir)}); err != nil {
		t.Fatal(err)
	}
	twin.dial()
	twin.awaitSettled("Deployment/speak")
	original.awaitSettled("Deployment/speak")
	if one, two := original.pods(), twin.pods(); len(one) != 1 || len(two) != 1 || restarted(one)+restarted(two) > 0 ||
		original.block() == twin.block() {
		t.Errorf("the original has %v in block %d, its copy %v in block %d", one, original.block(), two, twin.block())
	}
}

// regular is a file system without its sockets.
type regular struct{ fs.FS }

func (r regular) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(r.FS, name)
	return slices.DeleteFunc(all, func(d fs.DirEntry) bool { return !d.IsDir() && !d.Type().IsRegular() }), err
}
