package bootstrap

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/identitytest"
	"github.com/sluice-cd/sluice/internal/postgrestest"
	"github.com/sluice-cd/sluice/internal/secret"
	"github.com/sluice-cd/sluice/internal/service"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Main(m)) }

// examinedServer returns the checks of a sluice.yaml by their names. Each one that is not right has to have a hint.
func examinedServer(t *testing.T, text string) map[string]service.Check {
	t.Helper()
	file := filepath.Join(t.TempDir(), config.FileName)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := OpenState(t.TempDir(), new(secret.Redactor))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir.Path("key"), []byte(strings.Repeat("k", secret.KeyBytes)), 0o600); err != nil {
		t.Fatal(err)
	}
	w := NewWiring(dir, c)
	defer w.Close()
	d := service.Doctor{Config: c, Adapters: w, ServerSite: w}
	d.Examine(t.Context())
	all := map[string]service.Check{}
	for _, check := range d.Checks {
		all[check.Name] = check
		if check.State != service.CheckOK && check.Hint == "" {
			t.Errorf("%s says nothing to do next: %+v", check.Name, check)
		}
	}
	return all
}

func wantCheck(t *testing.T, c service.Check, state, says string) {
	t.Helper()
	if c.State != state || !strings.Contains(c.Detail, says) {
		t.Errorf("got %+v, want %s: %s", c, state, says)
	}
}

func TestDoctorExaminesTheCertificate(t *testing.T) {
	const day = 24 * time.Hour
	for name, test := range map[string]struct {
		life           time.Duration
		address, state string
		says           string
	}{
		"good":              {90 * day, "https://sluice.example.com:8443", service.CheckOK, "sluice.example.com until"},
		"soon to end":       {13 * day, "https://sluice.example.com", service.CheckWarning, "it expires on"},
		"ended":             {-time.Minute, "https://sluice.example.com", service.CheckWrong, "it expired on"},
		"of another server": {90 * day, "https://ci.example.com", service.CheckWrong, "it is not for ci.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writePair(t, dir, 1, test.life)
			tls := fmt.Sprintf("{certFile: %[1]s/tls.crt, keyFile: %[1]s/tls.key}", dir)
			text := fmt.Sprintf("server: {listen: \"127.0.0.1:0\", address: %q, tls: %s,\n"+
				"  workloads: {ci: {issuer: \"http://127.0.0.1:1\"}}, roles: {r: {grants: [{verbs: [view]}]}}}\n",
				test.address, tls)
			wantCheck(t, examinedServer(t, text)["server certificate"], test.state, test.says)
			writePair(t, filepath.Join(dir, "other"), 2, time.Hour)
			if err := os.Rename(filepath.Join(dir, "other", "tls.key"), filepath.Join(dir, "tls.key")); err != nil {
				t.Fatal(err)
			}
			wantCheck(t, examinedServer(t, text)["server certificate"], service.CheckWrong, "does not match")
		})
	}
}

func TestDoctorExaminesIssuers(t *testing.T) {
	people := identitytest.New(t)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer": %q, "jwks_uri": %q}`, people.URL, people.URL+"/keys")
	}))
	defer other.Close()
	got := examinedServer(t, fmt.Sprintf(`server:
  listen: 127.0.0.1:0
  address: http://localhost:8080
  identity: {issuer: %q, clientId: c}
  workloads:
    away: {issuer: "http://127.0.0.1:1"}
    other: {issuer: %q}
    file: {issuer: %q, audience: x, caFile: absent.pem}
  roles: {r: {grants: [{verbs: [view]}]}}
`, people.URL, other.URL, people.URL))
	wantCheck(t, got["issuer of people"], service.CheckOK, people.URL)
	wantCheck(t, got["issuer of away"], service.CheckWrong, "http://127.0.0.1:1")
	wantCheck(t, got["issuer of other"], service.CheckWrong, people.URL)
	wantCheck(t, got["issuer of file"], service.CheckWrong, "absent.pem")
	wantCheck(t, got["server roles"], service.CheckOK, "1 role")
	wantCheck(t, got["server address"], service.CheckOK, "http://localhost:8080, at 127.0.0.1:0")
}

func TestDoctorExaminesTheDatabase(t *testing.T) {
	t.Setenv("DATABASE", postgrestest.Shared(t).Address(postgrestest.Database(t, t.TempDir())))
	t.Setenv("KEY", "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=") // of the directory
	t.Setenv("OTHER_KEY", "b29vb29vb29vb29vb29vb29vb29vb29vb29vb29vb28=")
	bucket := "repository:\n  s3:\n    endpoint: http://127.0.0.1:1\n    bucket: b\n" +
		"    accessKey: {env: KEY}\n    secretKey: {env: KEY}\n"
	got := examinedServer(t, bucket+"server: {listen: \"127.0.0.1:0\", database: {env: DATABASE}, key: {env: KEY}}\n")
	wantCheck(t, got["server database"], service.CheckOK, "PostgreSQL ")
	wantCheck(t, got["server key"], service.CheckOK, "is that of the state directory")
	if _, found := got["server checkpoints"]; found {
		t.Error("a bucket is examined")
	}
	got = examinedServer(t, "server: {listen: \"127.0.0.1:0\", database: {env: DATABASE}}\n")
	wantCheck(t, got["server checkpoints"], service.CheckWarning, "in a directory")
	wantCheck(t, got["server key"], service.CheckWarning, "other servers do not have")
	t.Setenv("DATABASE", os.Getenv("DATABASE")+"x")
	got = examinedServer(t, "server: {listen: \"127.0.0.1:0\", database: {env: DATABASE}, key: {env: OTHER_KEY}}\n")
	wantCheck(t, got["server database"], service.CheckWrong, "does not exist")
	wantCheck(t, got["server key"], service.CheckWrong, "is not that of the state directory")
}

func TestDoctorFindsWhatListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := examinedServer(t, fmt.Sprintf("server: {listen: %q}\n", l.Addr()))
	wantCheck(t, got["server address"], service.CheckWrong, "cannot listen at "+l.Addr().String())
	if c := got["server address"]; c.Code != sluice.Exhausted {
		t.Errorf("code is %s", c.Code)
	}
	if _, found := examinedServer(t, "accounts: {local: {type: local}}\n")["server address"]; found {
		t.Error("without the section server its address is examined")
	}
}
