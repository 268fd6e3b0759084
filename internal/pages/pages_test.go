package pages

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
)

func pathOf(id sluice.DeploymentID) string { return "/deployments/" + url.PathEscape(string(id)) }

// every is a page of each kind in a busy world.
func (w *world) every() map[string]string {
	w.t.Helper()
	list, err := w.store.Deployments(w.t.Context(), "shop")
	if err != nil {
		w.t.Fatal(err)
	}
	at, before := pathOf(list[0].ID), pathOf(list[1].ID)
	return map[string]string{
		"overview": "/", "deployment": at, "analysis": at + "?step=staging/canary/1",
		"apply": at + "?step=production/apply", "data": at + "?step=production/before/0",
		"verification": before + "?step=production/after/0", "application": "/applications/shop",
		"diff":        "/applications/shop?from=" + string(list[1].ID) + "&to=" + string(list[0].ID),
		"checkpoints": "/checkpoints", "audit": "/audit", "accounts": "/accounts", "rollback": before + "/rollback",
	}
}

func busyWorld(t testing.TB) *world {
	w := newWorld(t)
	w.steps.evidence()
	w.busy()
	return w
}

var (
	inline    = regexp.MustCompile(`(?i)<script(?:>|[^>]*[^r]>)[^<]|\sstyle=|\son[a-z]+=|javascript:`)
	headings  = regexp.MustCompile(`<h1[ >]`)
	unscoped  = regexp.MustCompile(`<th(?: data-l="[^"]*")?>`)
	addresses = regexp.MustCompile(`(?:href|src)="([^"]+)"`)
)

func TestEveryPageIsLightAndWellFormed(t *testing.T) {
	w := busyWorld(t)
	_, css := w.get(style.path, "ana")
	_, js := w.get(script.path, "ana")
	for name, path := range w.every() {
		r, body := w.get(path, "ana")
		if r.StatusCode != http.StatusOK || r.Header.Get("Content-Security-Policy") != policy {
			t.Errorf("%s answers %d with the policy %q", name, r.StatusCode, r.Header.Get("Content-Security-Policy"))
		}
		if weight := len(body) + len(css) + len(js); weight > 100_000 {
			t.Errorf("%s weighs %d bytes with its style and script, more than 100 KB", name, weight)
		}
		if found := inline.FindString(body); found != "" {
			t.Errorf("%s has %q, which the policy forbids", name, found)
		}
		if n := len(headings.FindAllString(body, -1)); n != 1 {
			t.Errorf("%s has %d main headings", name, n)
		}
		if found := unscoped.FindString(body); found != "" {
			t.Errorf("%s has a table header without a scope", name)
		}
		if !strings.Contains(body, `class="skip" href="#main"`) {
			t.Errorf("%s has no link that skips the navigation", name)
		}
	}
}

// TestNoLinkLeadsNowhere follows every link of every page.
func TestNoLinkLeadsNowhere(t *testing.T) {
	w := busyWorld(t)
	seen := map[string]bool{}
	for name, path := range w.every() {
		_, body := w.get(path, "ana")
		base, err := url.Parse(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range addresses.FindAllStringSubmatch(body, -1) {
			to, err := base.Parse(strings.ReplaceAll(m[1], "&amp;", "&"))
			if err != nil {
				t.Fatal(err)
			}
			at := to.RequestURI()
			if seen[at] {
				continue
			}
			seen[at] = true
			if r, _ := w.get(at, "ana"); r.StatusCode != http.StatusOK && r.StatusCode != http.StatusSeeOther {
				t.Errorf("%s links to %s, which answers %d", name, at, r.StatusCode)
			}
		}
	}
	if len(seen) < 50 {
		t.Errorf("only %d links were followed", len(seen))
	}
}

func TestEveryPageHasATwinForPrograms(t *testing.T) {
	w := busyWorld(t)
	kinds := map[string]string{
		"overview": "Overview", "deployment": "Deployment", "application": "DeploymentList", "audit": "AuditEntryList",
		"checkpoints": "CheckpointList", "accounts": "Diagnosis", "rollback": "Rollback",
	}
	every := w.every()
	for name, kind := range kinds {
		r, body := w.get(every[name], "ana", "Accept", "application/json")
		var document struct{ APIVersion, Kind string }
		err := json.Unmarshal([]byte(body), &document)
		if err != nil || document.Kind != kind || document.APIVersion == "" {
			t.Errorf("%s: %v, kind %q instead of %q, %s", name, err, document.Kind, kind, r.Status)
		}
	}
	r, body := w.get("/deployments/none", "ana", "Accept", "application/json")
	if r.StatusCode != http.StatusNotFound || !strings.Contains(body, `"code": "notFound"`) {
		t.Errorf("an unknown deployment: %s %s", r.Status, body)
	}
}

func TestWhatWaitsForTheReaderComesFirst(t *testing.T) {
	w := busyWorld(t)
	rows := func(who string) (names []string) {
		_, body := w.get("/", who, "Accept", "application/json")
		var o struct {
			Items []overviewDocument `json:"items"`
		}
		if err := json.Unmarshal([]byte(body), &o); err != nil {
			t.Fatal(err)
		}
		for _, r := range o.Items {
			names = append(names, r.Application)
		}
		return names
	}
	if got := strings.Join(rows("ana"), " "); got != "shop search reports billing carts mail" {
		t.Errorf("an owner sees %s", got)
	}
	if got := strings.Join(rows("vic"), " "); got != "search reports shop billing carts mail" {
		t.Errorf("who may not approve sees %s", got)
	}
	if got := strings.Join(rows("sam"), " "); got != "search" {
		t.Errorf("who may view one application sees %s", got)
	}
}

type overviewDocument struct {
	Application string `json:"application"`
	Targets     []struct{ Target, Release, Status, Runs, WaitsFor string }
}

func TestWhatACallerMayNotViewIsAbsent(t *testing.T) {
	w := busyWorld(t)
	for name, path := range w.every() {
		switch name {
		case "overview", "checkpoints":
			if _, body := w.get(path, "sam"); strings.Contains(body, "shop") {
				t.Errorf("%s shows an application that the caller may not view", name)
			}
		case "audit", "accounts":
			if r, _ := w.get(path, "sam"); r.StatusCode != http.StatusForbidden {
				t.Errorf("%s answers %s", name, r.Status)
			}
		default:
			if r, _ := w.get(path, "sam"); r.StatusCode != http.StatusNotFound {
				t.Errorf("%s answers %s", name, r.Status)
			}
		}
	}
	report := strings.Replace(w.every()["verification"], "?", "/report?", 1)
	if r, _ := w.get(report, "vic"); r.StatusCode != http.StatusForbidden {
		t.Errorf("the report answers %s to who may not read it", r.Status)
	}
	if _, body := w.get(w.every()["verification"], "vic"); strings.Contains(body, "65f0a") {
		t.Error("the page shows keys to who may not read reports")
	}
}

func TestAReportIsDownloadedWhole(t *testing.T) {
	w := busyWorld(t)
	r, body := w.get(strings.Replace(w.every()["verification"], "?", "/report?", 1), "ana")
	if !strings.Contains(r.Header.Get("Content-Disposition"), "attachment") || strings.Count(body, "65f0a") != 12 {
		t.Errorf("%s %v: %s", r.Status, r.Header, body)
	}
}

func TestButtonsAreThoseThatTheCallerMayPress(t *testing.T) {
	w := busyWorld(t)
	at := w.every()["deployment"]
	_, body := w.get(at, "ana")
	for _, action := range []string{"approve", "reject", "pause", "rollback", "cancel"} {
		if !strings.Contains(body, `action="`+at+"/"+action+`"`) {
			t.Errorf("there is no button to %s", action)
		}
	}
	if _, body = w.get(at, "vic"); strings.Contains(body, "/cancel\"") || !strings.Contains(body, "disabled") {
		t.Error("who may only view can press buttons")
	}
}

func TestNobodyIsSentToTheLogin(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct{ method, path, want string }{
		{http.MethodGet, "/audit?before=3", "/login?return=%2Faudit%3Fbefore%3D3"},
		{http.MethodPost, "/deployments/d1/approve", "/login?return=%2Fdeployments%2Fd1"},
	} {
		r, _ := w.request(test.method, test.path, "nobody", url.Values{})
		if got := r.Header.Get("Location"); r.StatusCode != http.StatusSeeOther || got != test.want {
			t.Errorf("%s %s: %s to %q, not %q", test.method, test.path, r.Status, got, test.want)
		}
	}
	if r, _ := w.get("/", "nobody", "Accept", "application/json"); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("a program is answered %s", r.Status)
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	w := busyWorld(t)
	at := w.every()["deployment"] + "/approve"
	form := url.Values{"step": {"production/canary/1"}}
	for header, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"} {
		if r, _ := w.post(at, "ana", form, header, value); r.StatusCode != http.StatusForbidden {
			t.Errorf("with %s: %s, it is answered %s", header, value, r.Status)
		}
	}
	r, _ := w.post(at, "ana", form, "Sec-Fetch-Site", "same-origin")
	if r.StatusCode != http.StatusSeeOther {
		t.Errorf("its own form is answered %s", r.Status)
	}
}

func TestWhatIsRefusedIsSaidOnThePage(t *testing.T) {
	w := busyWorld(t)
	at := w.every()["deployment"]
	r, body := w.post(at+"/approve", "ana", url.Values{"step": {"staging/apply"}})
	if r.StatusCode != http.StatusConflict && r.StatusCode != http.StatusBadRequest {
		t.Errorf("to approve what does not wait is answered %s", r.Status)
	}
	if !strings.Contains(body, `role="alert"`) || !strings.Contains(body, "Approve…") {
		t.Errorf("the page does not say why nothing was done: %s", body)
	}
	if r, _ = w.post(at+"/explode", "ana", nil); r.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown action is answered %s", r.Status)
	}
	if r, _ = w.get(at+"/approve", "ana"); r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != at {
		t.Errorf("a reload afterwards is answered %s to %s", r.Status, r.Header.Get("Location"))
	}
}

// A server that proves nobody's identity lets a person decide in the role that the step takes.
func TestWithoutIdentitiesARoleIsClaimed(t *testing.T) {
	w := newWorld(t)
	w.steps.evidence()
	id := w.start(planOf("shop", "2.3"), "ci")
	w.untilWaits(id)
	people["me"] = access.Caller{
		Actor: sluice.Actor{Name: "me"}, Grants: []access.Grant{{Verbs: access.Verbs}},
	}
	t.Cleanup(func() { delete(people, "me") })
	r, body := w.post(pathOf(id)+"/approve", "me", url.Values{"step": {"production/canary/1"}})
	if r.StatusCode != http.StatusSeeOther {
		t.Errorf("the approval is answered %s: %s", r.Status, body)
	}
	w.until(id, hasEnded)
}

func TestFilesOfThePagesAreKeptForGood(t *testing.T) {
	w := newWorld(t)
	for _, a := range []asset{style, script, icon} {
		r, body := w.get(a.path, "nobody")
		if body != string(a.content) || !strings.Contains(r.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %s, %v", a.path, r.Status, r.Header)
		}
	}
}

func TestPagesAreCompressed(t *testing.T) {
	w := busyWorld(t)
	r, body := w.get("/", "ana", "Accept-Encoding", "gzip")
	if r.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("the headers are %v", r.Header)
	}
	z, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if _, err := text.ReadFrom(z); err != nil || !strings.Contains(text.String(), "</html>") {
		t.Errorf("%v: %s", err, text.String())
	}
}

func TestEmptyPagesTeach(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/", "/checkpoints"} {
		_, body := w.get(path, "ana")
		if strings.Count(body, "\nsluice ")+strings.Count(body, "<code>sluice ") < 2 {
			t.Errorf("%s does not name two commands: %s", path, body)
		}
	}
}
