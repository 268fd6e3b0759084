package bootstrap

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
)

// A server takes the key that sluice.yaml names, also from a file that its group may read, as a Secret is mounted.
func TestTakeKey(t *testing.T) {
	raw := strings.Repeat("k", 32)
	from := filepath.Join(t.TempDir(), "key")
	write := func(text string) config.Source {
		t.Helper()
		if err := os.WriteFile(from, []byte(text), 0o440); err != nil {
			t.Fatal(err)
		}
		return config.Source{File: from}
	}
	given := write(base64.StdEncoding.EncodeToString([]byte(raw)) + "\n")
	dir := StateDir{path: t.TempDir()}
	for range 2 { // the server is started again
		if err := dir.takeKey(given); err != nil {
			t.Fatal(err)
		}
	}
	if there, err := os.ReadFile(dir.Path("key")); err != nil || string(there) != raw {
		t.Errorf("the directory has the key %q: %v", there, err)
	}
	own := StateDir{path: t.TempDir()}
	if _, err := own.Key(); err != nil {
		t.Fatal(err)
	}
	if err := own.takeKey(given); sluice.ErrorCode(err) != sluice.Denied ||
		!strings.Contains(sluice.ErrorHint(err), own.Path("key")) {
		t.Errorf("another key: %v", err)
	}
	if err := os.Remove(from); err != nil {
		t.Fatal(err)
	}
	short := write(base64.StdEncoding.EncodeToString([]byte(raw[1:])))
	if err := (StateDir{path: t.TempDir()}).takeKey(short); sluice.ErrorCode(err) != sluice.Invalid {
		t.Errorf("a short key: %v", err)
	}
}
