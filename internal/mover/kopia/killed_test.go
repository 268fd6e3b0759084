package kopia_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mover"
	"github.com/sluice-cd/sluice/internal/mover/kopia"
)

const (
	child  = "KOPIA_TEST_CHILD" // the directory in which a child process copies until it is killed
	pieces = 24
	piece  = 4 << 20
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(child); dir != "" {
		os.Exit(copyUntilKilled(dir))
	}
	os.Exit(m.Run())
}

// copyUntilKilled says how far it is, a line each MiB.
func copyUntilKilled(dir string) int {
	ctx := context.Background()
	m, err := kopia.Open(ctx, kopia.Options{
		Dir: filepath.Join(dir, "repository"), CacheDir: filepath.Join(dir, "cache"), Password: password("sesame"),
	})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	_, err = mover.Run(ctx, m, copying(dir), func(a sluice.Amount) { fmt.Println("done", a.Done>>20) })
	fmt.Println("end", err)
	return 0
}

// copying is a copy of the volume in dir.
func copying(dir string) sluice.Transfer {
	v := sluice.Volume{Namespace: "n", Claim: "c", Generation: "g", Dir: filepath.Join(dir, "volume")}
	return sluice.Transfer{Kind: sluice.TransferCopy, ID: "d-1", Volumes: []sluice.Volume{v}}
}

// TestKilled: a process that is killed while it copies leaves neither a lock nor half a copy.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "volume"), 0o700); err != nil {
		t.Fatal(err)
	}
	noise := rand.NewChaCha8([32]byte{1})
	for i := range pieces {
		content := make([]byte, piece)
		if _, err := noise.Read(content); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "volume", fmt.Sprint(i)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		killInTheMiddle(t, dir)
	}
	m := open(t, filepath.Join(dir, "repository"))
	c, err := mover.Run(t.Context(), m, copying(dir), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Files != pieces || c.Bytes != pieces*piece {
		t.Errorf("the copy has %d files of %d bytes", c.Files, c.Bytes)
	}
	back := sluice.Transfer{Kind: sluice.TransferVerify, ID: "v", Copy: c}
	if _, err := mover.Run(t.Context(), m, back, nil); err != nil {
		t.Error(err)
	}
}

func killInTheMiddle(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), child+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var last string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		last = lines.Text()
		var done int
		if n, _ := fmt.Sscanf(last, "done %d", &done); n == 1 && done >= pieces*piece>>21 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	if err := cmd.Wait(); err == nil || strings.HasPrefix(last, "end") {
		t.Fatalf("the child was not killed in the middle: %s", last)
	}
}
