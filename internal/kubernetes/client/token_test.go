package client

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

func TestTokenOfAKubeconfigIsReadAgain(t *testing.T) {
	got := ""
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	with := func(token string) string {
		return fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\n"+
			"clusters: [{name: c, cluster: {server: %q, insecure-skip-tls-verify: true}}]\n"+
			"contexts: [{name: c, context: {cluster: c, user: u}}]\n"+
			"users: [{name: u, user: {token: %q}}]\n", server.URL, token)
	}
	write(with("old"))
	c, err := Open(Options{Name: "east", Kubeconfig: file})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, test := range []struct{ name, file, want string }{
		{"as it began", with("old"), "Bearer old"},
		{"a new token", with("new"), "Bearer new"},
		{"a broken file", "{", "Bearer new"},
		{"no token", with(""), "Bearer new"},
		{"right again", with("old"), "Bearer old"},
	} {
		write(test.file)
		r, err := c.http.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil || r.Body.Close() != nil || got != test.want {
			t.Errorf("%s: sent %q, want %q (%v)", test.name, got, test.want, err)
		}
	}
}
