package agent

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/process"
	"github.com/sluice-cd/sluice/internal/local/volume"
)

// TestLeaseEnds has a watchdog whose lease ends while a process stands still.
func TestLeaseEnds(t *testing.T) {
	p, err := process.Start(process.Spec{Path: "/bin/sleep", Args: []string{"sleep", "60"},
		Log: filepath.Join(t.TempDir(), "log")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := process.KillOne(p.ID); err != nil {
			t.Error(err)
		}
	}()
	said, end := make(chan string), make(chan time.Time)
	out := &bytes.Buffer{}
	result := make(chan error, 1)
	go func() { result <- guard(said, end, out) }()
	b, err := json.Marshal(p.ID)
	if err != nil {
		t.Fatal(err)
	}
	said <- string(b)
	if err := p.ID.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for !process.Stopped(p.ID) {
		<-time.After(time.Millisecond)
	}
	end <- time.Now()
	said <- saysReleased // it is read only after the lease has been dealt with
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	if process.Stopped(p.ID) {
		t.Error("the process still stands when the lease is over")
	}
	if out.Len() > 0 {
		t.Errorf("the watchdog says %q although the lease did not hold", out)
	}
}

func TestTooLittleSpace(t *testing.T) {
	a := &Agent{dir: t.TempDir()}
	if shares, err := volume.CanShare(a.dir); shares || err != nil {
		t.Skipf("a copy takes no space here: %v, %v", shares, err)
	}
	root := a.claimRoot("test", "data")
	source := filepath.Join(root, "initial")
	if err := os.MkdirAll(source, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(source, "file"), bytes.Repeat([]byte("x"), 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	defer func(f func(string) (int64, error)) { freeSpace = f }(freeSpace)
	freeSpace = func(string) (int64, error) { return spare + 2<<20, nil }
	r := CutRequest{Namespace: "test", Claims: []string{"data"}, Generation: "new"}
	err := a.checkSpace(r, []string{source})
	if sluice.ErrorCode(err) != sluice.Exhausted || !strings.Contains(err.Error(), "67 MiB") ||
		!strings.Contains(err.Error(), "66 MiB are free") {
		t.Errorf("with 66 MiB free of 67: %v", err)
	}
	freeSpace = func(string) (int64, error) { return spare + 4<<20, nil }
	if err := a.checkSpace(r, []string{source}); err != nil {
		t.Errorf("with enough space: %v", err)
	}
	if left, err := os.ReadDir(root); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestRotate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "main.log")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	k, err := newLogKeeper(func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	k.keep(path)
	line := append(bytes.Repeat([]byte("x"), 1<<20-1), '\n')
	for range 17 {
		if _, err := f.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	k.look(path) // an event may have been first; looking twice is harmless
	if err := k.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("last\n"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > 2<<20 {
		t.Errorf("the log has %d bytes: %v", info.Size(), err)
	}
	lines, err := tail(path, 1)
	if err != nil || len(lines) != 1 || lines[0] != "last" {
		t.Errorf("the last line is %q, %v", lines, err)
	}
}
