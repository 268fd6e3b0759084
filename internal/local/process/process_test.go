package process_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice/internal/local/process"
)

func start(t *testing.T, script string, env ...string) *process.Process {
	t.Helper()
	p, err := process.Start(process.Spec{
		Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: append(env,
			"PATH=/usr/bin:/bin"), Log: filepath.Join(t.TempDir(), "log"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestExitCode(t *testing.T) {
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -9 $$": 137} {
		if got := start(t, script).ExitCode(); got != want {
			t.Errorf("%q ended with %d, want %d", script, got, want)
		}
	}
}

// TestAdopt watches over a process through an identity alone, and refuses one that only has the same number.
func TestAdopt(t *testing.T) {
	p := start(t, "exec sleep 60")
	other := p.ID
	other.Start++
	if _, err := process.Adopt(other); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("Adopt of another start time: %v", err)
	}
	if err := other.Signal(unix.SIGKILL); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("Signal to another start time: %v", err)
	}
	rebooted := p.ID
	rebooted.Boot = "another"
	if rebooted.Alive() || !p.ID.Alive() {
		t.Error("a boot is not told from another")
	}
	adopted, err := process.Adopt(p.ID)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-adopted.Done():
		t.Fatal("the adopted process counts as ended while it runs")
	default:
	}
	if err := p.ID.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-adopted.Done()
	if p.ExitCode() != 143 || adopted.ExitCode() != process.Unknown {
		t.Errorf("exit codes %d and %d", p.ExitCode(), adopted.ExitCode())
	}
	if _, err := process.Adopt(p.ID); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("Adopt of one that has ended: %v", err)
	}
}

func TestFreezeAndKill(t *testing.T) {
	mark := "PROCESS_TEST=" + strings.ReplaceAll(t.TempDir(), "/", "-")
	p := start(t, "sleep 60 & setsid sleep 60 & wait", mark)
	defer func() {
		if err := process.Kill(mark); err != nil {
			t.Error(err)
		}
		if left, err := process.Find(mark); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
		<-p.Done()
	}()
	var noted []process.Identity
	note := func(id process.Identity) error {
		if process.Stopped(id) {
			t.Error("a process was stopped before it was noted")
		}
		noted = append(noted, id)
		return nil
	}
	ids, err := process.Freeze(mark, time.Now().Add(10*time.Second), note)
	if err != nil {
		t.Fatal(err)
	}
	if len(ids) == 0 || len(noted) < len(ids) {
		t.Errorf("froze %v after noting %v", ids, noted)
	}
	for _, id := range ids {
		if !process.Stopped(id) {
			t.Errorf("process %d runs", id.PID)
		}
	}
	if err := process.Continue(ids); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if id.Alive() && process.Stopped(id) {
			t.Errorf("process %d stands still", id.PID)
		}
	}
}
