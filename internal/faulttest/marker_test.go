package faulttest

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// The secrets of these tests. Each begins with m4rker and ends with 5ecret, so that any part of one is found.
const (
	markPlain    = "m4rker-plain-5ecret"
	markOdd      = `m4rker "odd" <&> a/b?c=d%e\f 5ecret`
	markHost     = "m4rker-host-5ecret"
	markLines    = "m4rker-first-5ecret\nm4rker-second-5ecret"
	markMetrics  = "m4rker-metrics-5ecret"
	markDatabase = "m4rker-database-5ecret"
	markManifest = "m4rker-manifest-5ecret"
	markData     = "m4rker-data-5ecret"
	markReceiver = "m4rker-receiver-5ecret" // only a part of secrets
	markFlag     = "of-a-flag-that-ps-shows"
)

// marks finds a marker, or a part of one, in any spelling.
var marks = func() *regexp.Regexp {
	var all []string
	for _, part := range []string{"m4rker", "5ecret"} {
		all = append(all, part, hex.EncodeToString([]byte(part)))
		for before := range 3 { // in base64 it depends on what stands before
			digits := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", before) + part))
			all = append(all, "(?-i:"+digits[(before*8+5)/6:(before+len(part))*8/6]+")")
		}
	}
	return regexp.MustCompile("(?i)" + strings.Join(all, "|"))
}()

// A leak is a path by which a secret could come out.
type leak struct {
	*world
	says []outcome // everything that sluice has printed
	echo *httptest.Server

	mu    sync.Mutex
	never []string // secrets that are no marker
}

// leaks are all paths by which a secret could come out. A new entry makes something fail after a secret was sent there.
var leaks = map[string]func(l *leak){
	"the URL, headers and body of a webhook that is refused": func(l *leak) {
		l.fails(l.webhook(l.echo.URL+"/500/{{secrets.plain}}?q={{secrets.plain}}", "{{secrets.odd}}"), "answered")
	},
	"a webhook that answers with another address": func(l *leak) {
		l.fails(l.webhook(l.echo.URL+"/302/{{secrets.plain}}", ""), "redirects")
		l.fails(l.webhook(l.echo.URL+"/307/{{secrets.plain}}", ""), "tell")
	},
	"a webhook whose answer is no HTTP": func(l *leak) {
		l.fails(l.webhook("http://"+garbage(l.t)+"/{{secrets.plain}}?{{secrets.plain}}", ""), "tell")
	},
	"a webhook that sends more than its answer": func(l *leak) {
		out := l.run("run", "-f", l.file(l.webhook(l.echo.URL+"/204/{{secrets.plain}}", "")))
		l.world.says(out, 0)
	},
	"the host of a webhook": func(l *leak) {
		l.fails(l.webhook("http://{{secrets.host}}.invalid/", ""), "tell")
	},
	"a URL that is none": func(l *leak) {
		l.fails(l.webhook("{{secrets.odd}}", ""), "is not an http or https URL")
	},
	"a header that is none": func(l *leak) {
		l.fails(strings.Replace(l.webhook(l.echo.URL, ""), "Bearer {{secrets.plain}}", "{{secrets.lines}}", 1), "tell")
	},
	"a webhook that calls back": func(l *leak) {
		text := strings.Replace(l.webhook(l.echo.URL+"/back", ""), "    disableCallback: true\n", "", 1)
		l.fails(strings.Replace(text, `"lines"`, `"callback": "{{armory.callbackUri}}", "lines"`, 1), "reports")
	},
	"the reason of a decision": func(l *leak) {
		text := deployFile("constraints: {beforeDeployment: [{pause: {untilApproved: true}}]}", "", service)
		l.write("deploy.yaml", text)
		l.run("run", "-f", "deploy.yaml", "--detach")
		l.run("reject", "--reason", "it was "+markFlag)
		l.never = append(l.never, markFlag)
		l.run("run", "--resume")
	},
	"a provider that repeats what it is asked": func(l *leak) {
		l.mustDeploy(plain("1"))
		l.fails(l.analysis("400"), "refuses the query")
		for _, mode := range []string{"401", "422", "503", "html"} {
			l.fails(l.analysis(mode), "production/canary/1")
		}
	},
	"a database that does not answer": func(l *leak) {
		data := dataset("mongodb://{{secrets.plain}}:{{secrets.database}}@db:27017/shop?serverSelectionTimeoutMS=300")
		objects := join(claim, databaseService, database)
		l.run("run", "-f", l.file(deployFile("", data, join(first, objects))))
		changed := strings.Replace(first, "first}", "first}, data: {a: b}", 1)
		l.fails(deployFile("constraints: {beforeDeployment: [{checkpointData: {dataset: orders}}]}", data,
			join(changed, objects)), "does not answer")
	},
	"an address of a database that is none": func(l *leak) {
		data := dataset("mongodb://x:{{secrets.odd}}@{{secrets.plain}}:port/shop")
		objects := join(claim, databaseService, database)
		l.fails(deployFile("constraints: {afterDeployment: [{checkpointData: {dataset: orders}}]}", data, objects), "")
	},
	"a Secret, its pods and their last words": func(l *leak) {
		l.fails(deployFile("", "", join(secretManifest, service, deployment("web", "blabs", "1",
			"envFrom: [{secretRef: {name: shop}}]\n"+probe))), "reads the settings")
		l.run("plan", "-f", "deploy.yaml")
	},
	"a Secret that is used and changed": func(l *leak) {
		text := deployFile("", "", join(secretManifest, service, deployment("web", "web", "1",
			"envFrom: [{secretRef: {name: shop}}]\nvolumeMounts: [{name: shop, mountPath: /secrets}]\n"+probe)+
			"\n      volumes: [{name: shop, secret: {secretName: shop}}]"))
		l.run("run", "-f", l.file(text))
		l.run("run", "-f", l.file(strings.Replace(text, markManifest, "another-"+markManifest, 1)))
		l.run("plan", "-f", "deploy.yaml", "-o", "json")
		l.run("rollback", "--yes")
	},
	"a Secret that is written wrong": func(l *leak) {
		for _, broken := range []string{
			"stringData: {a: [" + markPlain + "]}", "stringData:\n  a: *" + markManifest,
			"stringData:\n  a: \"" + markManifest,
			"stringData:\n\ta: " + markManifest,
			"data:\n  a: " + markManifest, "stringData: " + markManifest,
		} {
			l.write("secret.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: shop}\n"+broken+"\n")
			text := strings.Replace(deployFile("", "", service), "  - inline: |", "  - path: secret.yaml\n  - inline: |", 1)
			l.write("deploy.yaml", text)
			for _, form := range []string{"text", "json", "sarif", "github"} {
				l.run("validate", "-f", "deploy.yaml", "-o", form)
			}
			l.run("run", "-f", "deploy.yaml")
		}
	},
	"a Secret whose value a migration replaces": func(l *leak) {
		both := func(steps, manifests string) string {
			data := "\ndatasets:\n  orders: {engine: files, claims: [data]}"
			staging := "targets:\n  staging: {account: local, namespace: staging, strategy: rolling" + steps + "}"
			return strings.Replace(deployFile("", data, manifests), "targets:", staging, 1)
		}
		step := "{migrateData: {dataset: orders, from: production, secrets: [{secret: shop, key: PASSWORD, " +
			"value: \"{{secrets.plain}}\"}]}}"
		before := func(steps string) string { return ", constraints: {beforeDeployment: [" + steps + "]}" }
		l.mustDeploy(both("", join(first, claim, secretManifest)))
		changed := strings.Replace(first, "first}", "first}, data: {a: b}", 1)
		l.fails(both(before("{sequence: ["+step+", {waitFor: {object: ConfigMap/none, condition: Ready, timeout: 1s}}]}"),
			changed), "ConfigMap/none")
		l.fails(both(before(strings.Replace(step, "secrets:", "suspend: [CronJob/mails], secrets:", 1)), changed),
			"does not support CronJob")
		l.run("run", "-f", l.file(both(before(step), changed)))
		l.run("plan", "-f", "deploy.yaml", "-o", "json")
	},
	"a kustomization with a mistake": func(l *leak) {
		if err := os.Mkdir(filepath.Join(l.dir, "k"), 0o700); err != nil {
			l.t.Fatal(err)
		}
		for _, broken := range []string{"literals: [" + markManifest + "]", "literals: [a=" + markManifest + ", a=x]"} {
			l.write("k/kustomization.yaml", "secretGenerator:\n- name: shop\n  "+broken+"\n")
			text := strings.Replace(deployFile("", "", service), "  - inline: |", "  - path: k\n  - inline: |", 1)
			l.run("validate", "-f", l.file(text))
		}
	},
	"a password in sluice.yaml": func(l *leak) {
		l.file(plain("1"))
		for _, host := range []string{"127.0.0.1:1", "["} {
			url := "http://me:" + markPlain + "@" + host
			l.write("sluice.yaml", "metrics: {prometheus: {url: \""+url+"\"}}\n")
			l.run("doctor")
			l.run("run", "-f", "deploy.yaml")
		}
		l.write("sluice.yaml", "{}\n") // what ends the test reads it
	},
	"the keys of a bucket": func(l *leak) {
		data := "\ndatasets:\n  orders: {engine: files, claims: [data]}"
		l.mustDeploy(deployFile("", data, join(first, claim)))
		sound, err := os.ReadFile(filepath.Join(l.dir, "sluice.yaml"))
		if err != nil {
			l.t.Fatal(err)
		}
		quick := strings.Replace(string(sound), "retryFor: 1s", "retryFor: 20ms", 1)
		for _, bucket := range []string{"401", "html"} {
			l.write("sluice.yaml", strings.Replace(quick, "repository: {", "repository: {s3: {endpoint: \""+l.echo.URL+
				"\", bucket: \""+bucket+"\", accessKey: {env: MARK_DATABASE}, secretKey: {env: MARK_PLAIN}}, ", 1))
			changed := strings.Replace(first, "first}", "first}, data: {a: b}", 1)
			l.fails(deployFile("constraints: {beforeDeployment: [{checkpointData: {dataset: orders}}]}", data,
				join(changed, claim)), "")
			l.run("doctor")
		}
	},
	"the addresses and secrets of receivers": func(l *leak) {
		l.mustDeploy(plain("1"))
		sound, err := os.ReadFile(filepath.Join(l.dir, "sluice.yaml"))
		if err != nil {
			l.t.Fatal(err)
		}
		for i, url := range []string{
			l.echo.URL + "/500/", l.echo.URL + "/401/", l.echo.URL + "/302/", l.echo.URL + "/307/", l.echo.URL + "/204/",
			"http://" + garbage(l.t) + "/", "http://127.0.0.1:1/", "ftp://127.0.0.1/", "http://[::1/", "",
		} {
			name := fmt.Sprint("MARK_URL", i)
			l.env = append(l.env, name+"="+url+markReceiver+"?"+markReceiver)
			to := "slack: {url: {env: " + name + "}}"
			if i%2 == 1 {
				to = "webhook: {url: {env: " + name + "}, secret: {env: MARK_HOOK}}"
			}
			l.write("sluice.yaml", string(sound)+"server: {notifications: {to: {"+to+"}}}\n")
			l.run("notify", "test", "to")
		}
		l.run("doctor")
		l.write("sluice.yaml", string(sound)+"server: {notifications: {to: {webhook: {url: \"http://me:"+markPlain+
			"@127.0.0.1:1\", secret: {env: MARK_PLAIN}}}}}\n")
		l.run("notify", "test", "to")
		l.run("doctor")
	},
	"a flag": func(l *leak) {
		l.file(deployFile("", "", service))
		out := l.run("run", "-f", "deploy.yaml", "--add-context", "token="+markFlag)
		l.world.says(out, 2, "the context value \"token\" is a secret")
		l.never = append(l.never, markFlag)
	},
	"a rehearsal": func(l *leak) {
		l.run("run", "--local", "-f", l.file(l.webhook("https://example.com/{{secrets.plain}}", "Authorization")))
		l.run("run", "--local", "-f", "deploy.yaml", "--webhook", "tell=fail")
	},
	"the commands that only look": func(l *leak) {
		l.file(l.webhook(l.echo.URL+"/500/{{secrets.plain}}", ""))
		for _, args := range [][]string{
			{"doctor", "-f", "deploy.yaml"}, {"doctor", "-o", "json"}, {"plan", "-f", "deploy.yaml"},
			{"plan", "-f", "deploy.yaml", "-o", "mermaid"}, {"plan", "-f", "deploy.yaml", "-o", "dot"}, {"local", "ps"},
		} {
			l.run(args...)
		}
	},
}

const secretManifest = `apiVersion: v1
kind: Secret
metadata: {name: shop}
stringData: {PASSWORD: ` + markManifest + `}
data: {TOKEN: bTRya2VyLWRhdGEtNWVjcmV0}`

// TestNoSecretComesOut sends secrets by every path, makes each path fail, and looks for the secrets everywhere.
func TestNoSecretComesOut(t *testing.T) {
	t.Parallel()
	for name, happens := range leaks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLeak(t)
			happens(l)
			if len(l.says) == 0 {
				t.Fatal("nothing was tried")
			}
			for _, form := range []string{"text", "json"} {
				l.run("status", "-o", form)
				l.run("logs", "-o", form)
			}
			l.check()
		})
	}
}

func newLeak(t *testing.T) *leak {
	l := &leak{}
	l.echo = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.noArguments("m4rker")
		l.answer(w, r)
	}))
	t.Cleanup(l.echo.Close)
	l.world = newWorld(t, "retryFor: 1s\nwebhooks: {allow: [127.0.0.1]}\nmetrics: {prometheus: {url: \""+l.echo.URL+
		"/prometheus\", username: me, password: {env: MARK_METRICS}}}\n"+
		"secrets: {plain: {env: MARK_PLAIN}, odd: {file: odd}, host: {env: MARK_HOST}, lines: {file: lines}, "+
		"database: {env: MARK_DATABASE}, flag: {env: MARK_FLAG}}\nrepository: {password: {file: lines}}\n")
	l.env = append(l.env, "MARK_PLAIN="+markPlain, "MARK_HOST="+markHost, "MARK_METRICS="+markMetrics,
		"MARK_DATABASE="+markDatabase, "MARK_FLAG="+markFlag,
		"MARK_HOOK=whsec_"+base64.StdEncoding.EncodeToString([]byte(markPlain+markMetrics)))
	l.write("odd", markOdd+"\n")
	l.write("lines", markLines+"\n")
	return l
}

// answer answers with everything that it was sent. The first part of the path says how.
func (l *leak) answer(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_ = r.ParseForm()
	said := fmt.Sprintf("%s %s %v %s %q", r.Method, r.RequestURI, r.Header, body, r.Form)
	w.Header().Set("X-Echo", strings.ReplaceAll(said, "\n", " "))
	mode := strings.Split(strings.Trim(r.URL.Path, "/"), "/")[0]
	if mode == "prometheus" {
		mode = strings.TrimPrefix(regexp.MustCompile(`mode[0-9a-z]+`).FindString(said), "mode")
	}
	switch mode {
	case "302":
		w.Header().Set("Location", "http://elsewhere.invalid"+r.RequestURI)
		w.WriteHeader(http.StatusFound)
	case "307":
		w.Header().Set("Location", "http://%zz"+r.RequestURI) // no address
		w.WriteHeader(http.StatusTemporaryRedirect)
	case "204":
		l.sayMore(w, said)
	case "400", "422":
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(map[string]int{"400": 400, "422": 422}[mode])
		kind := map[string]string{"400": "bad_data", "422": "execution"}[mode]
		fmt.Fprintf(w, `{"status":"error","errorType":%q,"error":%q}`, kind, said)
	case "500", "503", "401":
		http.Error(w, said, map[string]int{"500": 500, "503": 503, "401": 401}[mode])
	case "back":
		l.callBack(body, said)
	case "html":
		fmt.Fprintf(w, "<html>%s</html>", said)
	}
}

// sayMore answers without a body, and sends the text after that answer.
func (l *leak) sayMore(w http.ResponseWriter, text string) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		l.t.Error(err)
		return
	}
	fmt.Fprintf(c, "HTTP/1.1 204 No Content\r\n\r\n%s", text)
	_ = c.Close()
}

// callBack answers a webhook's call at its callback address, with everything that it was sent.
func (l *leak) callBack(body []byte, said string) {
	var call struct{ Callback string }
	reason, err := json.Marshal(said)
	if err := errors.Join(err, json.Unmarshal(body, &call)); err != nil {
		l.t.Error(err)
	}
	l.mu.Lock()
	l.never = append(l.never, path.Base(call.Callback))
	l.mu.Unlock()
	response, err := http.Post(call.Callback+"/callback", "application/json",
		strings.NewReader(`{"success": false, "mdMessage": `+string(reason)+`}`))
	if err != nil {
		l.t.Error(err)
		return
	}
	_ = response.Body.Close()
}

// garbage is the address of a server that repeats what it is sent, without HTTP.
func garbage(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			said := make([]byte, 4096)
			n, _ := c.Read(said)
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\n%s\r\n\r\n", bytes.ReplaceAll(said[:n], []byte("\r\n"), []byte(" ")))
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

// webhook is a deploy file that calls the address before it does anything.
func (l *leak) webhook(address, header string) string {
	return deployFile("constraints: {beforeDeployment: [{runWebhook: {name: tell}}]}", `
webhooks:
  - name: tell
    uriTemplate: "`+address+`"
    disableCallback: true
    headers:
      - {key: Authorization, value: "Bearer {{secrets.plain}}"}
      - {key: X-Plain, value: "{{secrets.host}}`+header+`"}
    bodyTemplate: {inline: '{"password": "{{secrets.plain}}", "lines": "{{secrets.host}}"}'}`, service)
}

// analysis is a deploy file whose query the provider answers in that mode.
func (l *leak) analysis(mode string) string {
	return strings.Replace(analysed("2", ", unknownBudget: 1s, onUnknown: rollBack"), `"sum(errors)"`,
		`'sum(mode`+mode+`{a="{{secrets.plain}}", b="{{secrets.odd}}", c="{{secrets.host}}"})'`, 1)
}

// file writes the deploy file and returns its name.
func (l *leak) file(text string) string {
	l.write("deploy.yaml", text)
	return "deploy.yaml"
}

// fails deploys the text, which must not succeed but say something, in every form of output.
func (l *leak) fails(text, says string) {
	l.t.Helper()
	out := l.run("run", "-f", l.file(text))
	if out.status == 0 {
		l.t.Errorf("it was to fail: %s", out)
	}
	l.world.says(out, out.status, says)
	l.run("run", "-f", "deploy.yaml", "-o", "json")
}

// run runs sluice and keeps what it says.
func (l *leak) run(args ...string) outcome {
	l.t.Helper()
	out := l.sluice(args...)
	l.says = append(l.says, out)
	return out
}

// mayHold are the only places of the state directory that may hold a secret, and only of a Secret: what its pods are
// given, and what they print. docs/security.md lists the same.
var mayHold = []string{"local/*/objects/Secret", "local/*/pods/*/volumes", "local/*/logs"}

// check looks for the markers in everything that was printed, in the state directory and in all arguments.
func (l *leak) check() {
	l.t.Helper()
	for _, out := range l.says {
		if at := l.find([]byte(out.String())); at != nil {
			l.t.Errorf("it says %q: %s", at, out)
		}
	}
	l.walk(l.state, func(path string, d fs.DirEntry) {
		info, err := d.Info()
		if err != nil || !d.Type().IsRegular() {
			return // gone meanwhile
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return // gone meanwhile
		}
		at := l.find(content)
		name, _ := filepath.Rel(l.state, path)
		switch {
		case at == nil:
		case !isBelow(name, mayHold):
			l.t.Errorf("%s holds %q: %s", name, at, around(content, at))
		case info.Mode().Perm() != 0o600:
			l.t.Errorf("%s holds %q and has the mode %o", name, at, info.Mode().Perm())
		}
	})
	l.noArguments("m4rker", "5ecret")
}

// find returns a part of a secret that stands in the text, nil if none does.
func (l *leak) find(text []byte) []byte {
	for _, value := range l.never {
		if bytes.Contains(text, []byte(value)) {
			return []byte(value)
		}
	}
	return marks.Find(text)
}

func around(content, at []byte) []byte {
	i := bytes.Index(content, at)
	return content[max(0, i-100):min(len(content), i+200)]
}

// isBelow reports whether the file is at one of the patterns, or below.
func isBelow(name string, patterns []string) bool {
	for _, p := range patterns {
		parts := strings.SplitN(name, "/", strings.Count(p, "/")+2)
		if ok, _ := filepath.Match(p, strings.Join(parts[:min(len(parts), strings.Count(p, "/")+1)], "/")); ok {
			return true
		}
	}
	return false
}
