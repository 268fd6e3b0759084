package secret_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/secret"
)

func newKey(t *testing.T, fill byte) *secret.Key {
	t.Helper()
	k, err := secret.NewKey(bytes.Repeat([]byte{fill}, 32), nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSeal(t *testing.T) {
	k := newKey(t, 1)
	for _, plain := range []string{"", "hunter2", strings.Repeat("long ", 10_000)} {
		sealed, err := k.Seal(plain)
		if err != nil {
			t.Fatal(err)
		}
		if plain != "" && strings.Contains(sealed, plain) {
			t.Errorf("the sealed text shows the value")
		}
		if again, _ := k.Seal(plain); again != sealed {
			t.Errorf("sealing twice gave two texts")
		}
		if got, err := k.Open(sealed); got != plain || err != nil {
			t.Errorf("Open = %q, %v", got, err)
		}
		if _, err := newKey(t, 2).Open(sealed); sluice.ErrorCode(err) != sluice.Denied {
			t.Errorf("another key: %v", err)
		}
	}
}

func TestOpenRefusesWhatWasChanged(t *testing.T) {
	k := newKey(t, 1)
	sealed, err := k.Seal("value")
	if err != nil {
		t.Fatal(err)
	}
	last := sealed[:len(sealed)-3] + "AAA"
	for _, bad := range []string{"", "value", "sealed:v1:", "sealed:v1:!!", "sealed:v1:AAAA",
		strings.TrimPrefix(sealed, "sealed:v1:"), last} {
		if _, err := k.Open(bad); sluice.ErrorCode(err) != sluice.Denied {
			t.Errorf("Open(%q) = %v", bad, err)
		}
	}
}

func TestCallback(t *testing.T) {
	k := newKey(t, 1)
	token := k.Callback("d1", "staging/before/0")
	if !k.IsCallback("d1", "staging/before/0", token) {
		t.Error("the step's own secret is refused")
	}
	if strings.ContainsAny(token, "/+=") {
		t.Errorf("%q cannot stand in a URL's path", token)
	}
	for name, wrong := range map[string]bool{
		"another deployment": k.IsCallback("d2", "staging/before/0", token),
		"another step":       k.IsCallback("d1", "staging/before/1", token),
		"shifted parts":      k.IsCallback("d1staging", "/before/0", token),
		"another key":        newKey(t, 2).IsCallback("d1", "staging/before/0", token),
		"no secret":          k.IsCallback("d1", "staging/before/0", ""),
	} {
		if wrong {
			t.Errorf("%s is let in", name)
		}
	}
}

func TestPassword(t *testing.T) {
	k := newKey(t, 1)
	if a, b := k.Password("repository"), k.Password("other"); a == b || len(a) < 32 {
		t.Errorf("passwords %q and %q", a, b)
	}
	if k.Password("repository") != newKey(t, 1).Password("repository") {
		t.Error("the password changed")
	}
}

func TestValues(t *testing.T) {
	file := filepath.Join(t.TempDir(), "value")
	if err := os.WriteFile(file, []byte("from file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SLUICE_TEST_SECRET", "from env")
	v := new(secret.Redactor).Secrets(map[string]config.Source{
		"a": {Env: "SLUICE_TEST_SECRET"}, "b": {File: file}, "c": {Env: "SLUICE_TEST_UNSET"}, "d": {File: file + "x"},
	})
	for name, want := range map[string]string{"a": "from env", "b": "from file"} {
		if got, err := v.Secret(t.Context(), name); got != want || err != nil {
			t.Errorf("%s = %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"c", "d", "e"} {
		if _, err := v.Secret(t.Context(), name); sluice.ErrorCode(err) != sluice.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := v.Secret(t.Context(), "e")
	if hint := sluice.ErrorHint(err); !strings.Contains(hint, "a, b, c, d") {
		t.Errorf("hint %q does not list the names", hint)
	}
	if strings.Contains(err.Error(), "from") {
		t.Errorf("the error shows a value: %v", err)
	}
}
