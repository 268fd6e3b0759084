package keyfile_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/keyfile"
)

func TestProcessesThatMakeAKeyAtOnceGetTheSame(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	passwords := make([]string, 20)
	var wg sync.WaitGroup
	for i := range passwords {
		wg.Go(func() {
			k, err := keyfile.Open(file, nil)
			if err != nil {
				t.Error(err)
				return
			}
			passwords[i] = k.Password("x")
		})
	}
	wg.Wait()
	for _, p := range passwords {
		if p != passwords[0] {
			t.Fatal("two processes hold two keys")
		}
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != 32 {
		t.Errorf("key file: %v, %v", info, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), ".key-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	short, open := filepath.Join(dir, "short"), filepath.Join(dir, "open")
	if err := os.WriteFile(short, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(open, make([]byte, 32), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := keyfile.Open(short, nil); sluice.ErrorCode(err) != sluice.Invalid {
		t.Errorf("short key: %v", err)
	}
	_, err := keyfile.Open(open, nil)
	if sluice.ErrorCode(err) != sluice.Denied || !strings.Contains(sluice.ErrorHint(err), "chmod 600") {
		t.Errorf("open key: %v", err)
	}
}

func TestPut(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	given := bytes.Repeat([]byte{7}, 32)
	for range 2 { // the second time there is nothing to do
		if err := keyfile.Put(file, given); err != nil {
			t.Fatal(err)
		}
	}
	if err := keyfile.Put(file, make([]byte, 32)); sluice.ErrorCode(err) != sluice.Conflict {
		t.Errorf("another key: %v", err)
	}
	if err := keyfile.Put(file+"2", given[:31]); sluice.ErrorCode(err) != sluice.Invalid {
		t.Errorf("a short key: %v", err)
	}
	there, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(there, given) {
		t.Errorf("the file holds %x: %v", there, err)
	}
	if _, err := keyfile.Open(file, nil); err != nil { // so only its owner can read it
		t.Error(err)
	}
}
