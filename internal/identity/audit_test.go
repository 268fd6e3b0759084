package identity_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/identity"
)

// audited returns the entries of the audit, the oldest first.
func (w *world) audited(t *testing.T) (list []sluice.AuditEntry) {
	t.Helper()
	newest, err := w.store.Entries(t.Context(), "", 0, 100000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range newest {
		list = append([]sluice.AuditEntry{e}, list...)
	}
	return list
}

func TestTheAuditOfALogin(t *testing.T) {
	w := newWorld(t)
	b := w.loggedIn(t)
	cookie := b.cookie("sluice").Value
	b.do("POST", "/logout", "")
	b.do("POST", "/logout", "") // nobody is logged in any more
	list := w.audited(t)
	if len(list) != 2 {
		t.Fatalf("%d entries: %+v", len(list), list)
	}
	for i, verb := range []string{"logIn", "logOut"} {
		e := list[i]
		if e.Verb != verb || !e.Allowed || e.By.Name != "ana@example.com" || e.By.From != "127.0.0.1" || e.By.Via != "page" ||
			!strings.HasPrefix(e.By.Identity, w.people.URL+"#") || strings.Join(e.By.Roles, "") != "deployer" {
			t.Errorf("%s: %+v", verb, e)
		}
	}
	text, err := json.Marshal(list)
	if err != nil || strings.Contains(string(text), cookie) {
		t.Errorf("the audit holds the session: %s, %v", text, err)
	}
}

func TestTheAuditOfFailedLogins(t *testing.T) {
	w := newWorld(t)
	w.people.LogIn(ana)
	b := w.browser(t)
	path := b.callback()
	w.browser(t).get(path) // another browser
	b.get("/login/callback?error=" + strings.Repeat("denied", 1000))
	w.people.LogIn(with(ana, map[string]any{"groups": strings.Split(strings.Repeat("dev,", 2000), ",")}))
	w.browser(t).get("/login") // more than a cookie holds
	list := w.audited(t)
	if len(list) != 3 {
		t.Fatalf("%d entries: %+v", len(list), list)
	}
	for i, want := range []struct{ name, why string }{
		{"", "began in another browser"}, {"", "belongs to another login"}, {"ana@example.com", "does not fit into a cookie"},
	} {
		e := list[i]
		if e.Verb != "logIn" || e.Allowed || e.By.Name != want.name || !strings.Contains(e.Reason, want.why) ||
			e.By.From != "127.0.0.1" {
			t.Errorf("%+v, want %+v", e, want)
		}
	}
	text, err := json.Marshal(list)
	if err != nil || len(text) > 3*1000 {
		t.Errorf("the audit is %d bytes, %v: %s", len(text), err, text)
	}
	for name, values := range b.last.URL.Query() {
		if name == "state" || name == "code" {
			if strings.Contains(string(text), values[0]) {
				t.Errorf("the audit holds the %s of a login", name)
			}
		}
	}
}

func TestTheAuditOfRefusedTokens(t *testing.T) {
	w := newWorld(t)
	made, text, err := w.MakeToken(t.Context(), nightly)
	if err != nil {
		t.Fatal(err)
	}
	w.pass(61 * time.Minute)
	wrong := text[:len(text)-2] + "zz"
	mistyped := identity.TokenPrefix + text[len(text)-60:] + "_"
	for _, credential := range []string{text, wrong, mistyped, "eyJ.eyJ.eyJ", ""} {
		if _, err := w.call(credential); sluice.ErrorCode(err) != sluice.Unauthenticated {
			t.Errorf("%v, want unauthenticated", err)
		}
	}
	list := w.audited(t)
	if len(list) != 4 { // who sends nothing tries nothing
		t.Fatalf("%d entries: %+v", len(list), list)
	}
	if e := list[0]; e.Verb != "authenticate" || e.Allowed || e.By.Name != "nightly" ||
		e.By.Identity != "token:"+made.ID || !strings.Contains(e.Reason, "expired at") ||
		e.By.Via != "api" || e.By.From == "" {
		t.Errorf("of the token that expired: %+v", e)
	}
	if e := list[1]; e.By.Identity != "" || !strings.Contains(e.Reason, made.ID) {
		t.Errorf("of a wrong token, which proves nobody: %+v", e)
	}
	kept, err := json.Marshal(list)
	if secret := text[len(text)-60:]; err != nil || strings.Contains(string(kept), secret[:20]) {
		t.Errorf("the audit holds a token: %s, %v", kept, err)
	}
}

// A flood of refusals leaves few entries, and the next one says how many are missing.
func TestFloodsAreAuditedInPart(t *testing.T) {
	begin := time.Now() // time stands still but for pass
	w := newWorld(t, func(o *identity.Options) {
		now := o.Now
		o.Now = func() time.Time { return begin.Add(time.Until(now()).Round(time.Second)) }
	})
	guess := identity.TokenPrefix + "abcdefghijkl_" + strings.Repeat("0", 64)
	for range 500 {
		if _, err := w.call(guess); sluice.ErrorCode(err) != sluice.Unauthenticated {
			t.Fatal(err)
		}
	}
	through := w.logins("192.0.2.9:1", 500)
	if n := len(w.audited(t)); n != 40 {
		t.Errorf("%d entries, want 20 for each address", n)
	}
	w.pass(time.Minute)
	if _, err := w.call(guess); err == nil {
		t.Error("a guess was taken")
	}
	list := w.audited(t)
	for i, want := range map[int]string{20: "; 480 refusals before this one", 40: "; 460 refusals before this one"} {
		if !strings.Contains(list[i].Reason, want) {
			t.Errorf("entry %d says %q, want %q; %d logins began", i, list[i].Reason, want, through)
		}
	}
	for range 60 {
		w.pass(time.Minute)
		for i := range 20 {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = fmt.Sprintf("203.0.113.%d:1", i)
			r.Header.Set("Authorization", "Bearer "+guess)
			if _, err := w.Caller(r); err == nil {
				t.Fatal("a guess was taken")
			}
		}
	}
	if n := len(w.audited(t)); n < 300 || n > 200+61*6+1 {
		t.Errorf("%d entries after an hour", n)
	}
}

// silent is an audit that cannot be written.
type silent struct{ sluice.Audit }

func (silent) Record(context.Context, sluice.AuditEntry) error {
	return sluice.Errorf(sluice.Unavailable, "the disk is away")
}

func TestNobodyLogsInWithoutAnAudit(t *testing.T) {
	w := newWorld(t, func(o *identity.Options) { o.Audit = silent{} })
	w.people.LogIn(ana)
	b := w.browser(t)
	status, _ := b.get("/login")
	if e := w.failed.Load(); status != http.StatusTeapot || e.Code != sluice.Unavailable || b.cookie("sluice") != nil {
		t.Errorf("%d %v", status, e)
	}
	if _, err := w.call("sluice_abcdefghijkl_0"); sluice.ErrorCode(err) != sluice.Unauthenticated {
		t.Errorf("%v, want unauthenticated", err)
	}
}
