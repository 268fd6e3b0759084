package faulttest

import (
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// hides fails the test if any file of the state but the account's own, any recorded event or any process's
// arguments hold one of the values. The account's own files may: its pods need them. Only their owner reads those.
func (w *world) hides(values ...string) {
	w.t.Helper()
	w.walk(w.state, func(path string, d fs.DirEntry) {
		if !d.Type().IsRegular() {
			return
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return // gone meanwhile
		}
		info, err := d.Info()
		if err != nil {
			return
		}
		own := strings.HasPrefix(path, filepath.Join(w.state, "local")+"/")
		for _, v := range values {
			if !bytes.Contains(content, []byte(v)) {
				continue
			}
			if !own {
				w.t.Errorf("%s holds %q", path, v)
			} else if mode := info.Mode().Perm(); mode != 0o600 {
				w.t.Errorf("%s holds %q and has the mode %o", path, v, mode)
			}
		}
	})
	logs := w.sluice("logs", "-o", "json")
	w.says(logs, 0, "deploymentStarted")
	for _, v := range values {
		if strings.Contains(logs.String(), v) {
			w.t.Errorf("the log holds %q: %s", v, logs)
		}
	}
	w.noArguments(values...)
}

func (w *world) noArguments(values ...string) {
	w.t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, line := range lines {
		content, err := os.ReadFile(line)
		if err != nil {
			continue // it has ended
		}
		for _, v := range values {
			if bytes.Contains(content, []byte(v)) {
				w.t.Errorf("a process has %q among its arguments: %q", v, content)
			}
		}
	}
}

// TestSecrets: what webhooks, providers and Secrets hold is used and never kept, whether it goes well or not.
func TestSecrets(t *testing.T) {
	t.Parallel()
	const inURL, inHeader, inBody, inManifest, forMetrics = "url-5ecret", "header-5ecret", "body-5ecret",
		"manifest-5ecret", "metrics-5ecret"
	values := []string{inURL, inHeader, inBody, inManifest, forMetrics, "bWFuaWZlc3QtNWVjcmV0"}
	p := fake(t, "good")
	var mu sync.Mutex
	var got string
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got += r.URL.String() + " " + r.Header.Get("Authorization") + " " + string(body)
	}))
	t.Cleanup(hook.Close)
	w := newWorld(t, "metrics: {prometheus: {url: \""+p.URL+"\", username: me, password: {env: "+
		"FORMETRICS}}}\nretryFor: 1s\nwebhooks: {allow: [127.0.0.1]}\n"+
		"secrets: {url: {env: INURL}, header: {env: INHEADER}, body: {env: INBODY}}\n")
	w.env = append(w.env, "INURL="+inURL, "INHEADER="+inHeader, "INBODY="+inBody, "FORMETRICS="+forMetrics)
	text := func(url, release string) string {
		return deployFile("constraints: {beforeDeployment: [{runWebhook: {name: tell}}]}", `
webhooks:
  - name: tell
    uriTemplate: "`+url+`/tell/{{secrets.url}}?token={{secrets.url}}"
    disableCallback: true
    headers: [{key: Authorization, value: "Bearer {{secrets.header}}"}]
    bodyTemplate: {inline: '{"password": "{{secrets.body}}"}'}`,
			join(`{apiVersion: v1, kind: Secret, metadata: {name: shop}, stringData: {password: `+inManifest+`}}`, service,
				deployment("web", "web", release,
					"envFrom: [{secretRef: {name: shop}}]\nvolumeMounts: [{name: shop, mountPath: /secrets}]\n"+probe)+
					"\n      volumes: [{name: shop, secret: {secretName: shop}}]"))
	}
	w.mustDeploy(text(hook.URL, "1"))
	for _, v := range []string{"/tell/" + inURL, "token=" + inURL, "Bearer " + inHeader, inBody} {
		if !strings.Contains(got, v) {
			t.Errorf("the webhook was not told %q but %q", v, got)
		}
	}
	w.hides(values...)

	gone := httptest.NewServer(nil)
	gone.Close()
	out := w.deploy(text(gone.URL, "2"))
	w.says(out, 1, "tell", "hint: ")
	w.hides(values...)
	for _, v := range values {
		if strings.Contains(out.String(), v) {
			t.Errorf("a webhook that cannot be reached tells %q: %s", v, out)
		}
	}
}
