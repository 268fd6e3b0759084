package secret_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/manifest"
	"github.com/sluice-cd/sluice/internal/secret"
)

func knowing(values ...string) *secret.Redactor {
	r := new(secret.Redactor)
	for _, v := range values {
		r.Learn(v)
	}
	return r
}

// TestRedactorKnowsEverySpelling: no spelling of a value stays, and what stands around it does.
func TestRedactorKnowsEverySpelling(t *testing.T) {
	for _, value := range []string{
		"hunter2", `a "b" <c> & d/e?f=g%h\i'j`, "ключ к дому", "line one\nline two\twith a tab",
	} {
		r := knowing(value)
		body, err := json.Marshal(map[string]string{"query": value})
		if err != nil {
			t.Fatal(err)
		}
		login := base64.StdEncoding.EncodeToString([]byte("me:" + value))
		for name, written := range map[string]string{
			"itself":           value,
			"in a query":       url.QueryEscape(value),
			"in a parameter":   strings.ReplaceAll(url.QueryEscape(value), "+", "%20"),
			"in a path":        url.PathEscape(value),
			"in a URL":         (&url.URL{Scheme: "http", Host: "x", Path: "/" + value}).String(),
			"as a password":    url.UserPassword("me", value).String(),
			"in JSON":          string(body),
			"in JSON in JSON":  strconv.Quote(string(body)),
			"in JSON in a URL": url.QueryEscape(string(body)),
			"in a literal":     strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", `\n`).Replace(value),
			"quoted":           strconv.Quote(value),
			"quoted, in ASCII": strconv.QuoteToASCII(value),
			"on a page":        html.EscapeString(value),
			"in base64":        base64.StdEncoding.EncodeToString([]byte(value)),
			"in a file's URL":  base64.RawURLEncoding.EncodeToString([]byte(value)),
			"in hexadecimal":   fmt.Sprintf("%X", value),
			"on one line":      strings.Join(strings.Fields(value), " "),
		} {
			text := "before (" + written + ") after"
			got := r.Text(text)
			if strings.Contains(got, written) || !strings.HasPrefix(got, "before (") || !strings.HasSuffix(got, ") after") ||
				!strings.Contains(got, secret.Redacted) {
				t.Errorf("%q %s: %q became %q", value, name, text, got)
			}
		}
		if got := r.Text("Basic " + login); strings.Contains(got, login[8:len(login)-4]) {
			t.Errorf("%q in the header of a login: %q", value, got)
		}
	}
}

func TestRedactorText(t *testing.T) {
	r := knowing("opensesame", "sesame-street", "shop", "abc", "7", "true", "bXlzcWwtcGFzc3dvcmQ=",
		"first-line-of-it\nx\nlast-line-of-it", "mongodb://me:in-the-uri@db/shop")
	r.Publish(&sluice.Plan{Application: "shop", Targets: []sluice.PlannedTarget{{Name: "abc-target"}}})
	for text, want := range map[string]string{
		"opensesame-street":              secret.Redacted, // two secrets that overlap
		"xopensesamey":                   "x" + secret.Redacted + "y",
		"Deployment/shop is not ready":   "Deployment/shop is not ready",                                // a name
		"abc, abcd and abc-target":       secret.Redacted + ", abcd and " + secret.Redacted + "-target", // a short word
		"7 of 7: true":                   "7 of 7: true",
		"the password is mysql-password": "the password is " + secret.Redacted, // of data in a Secret
		"it ends with last-line-of-it":   "it ends with " + secret.Redacted,
		"x stays":                        "x stays",
		"login in-the-uri was refused":   "login " + secret.Redacted + " was refused",
		"the query opense… was cut off":  "the query " + secret.Redacted + "… was cut off",
		`it says "opense ..."`:           `it says "` + secret.Redacted + ` ..."`,
		"the end is cut off: opensesa":   "the end is cut off: " + secret.Redacted,
		"nothing here":                   "nothing here",
		"OpenSesame":                     secret.Redacted,
	} {
		if got := r.Text(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	var nothing *secret.Redactor
	nothing.Learn("x")
	if got := nothing.Text("opensesame"); got != "opensesame" {
		t.Errorf("nothing is known, and %q comes out", got)
	}
}

func TestJSONOutputStaysJSON(t *testing.T) {
	r := knowing("failed-5ecret", "count", `quote"d`, "12345")
	path := filepath.Join(t.TempDir(), "out")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	text := `{"count": 12345, "a": "x failed-5ecret \u003c", "b": ["quote\"d", "12345"], "c": "C:\\"}` + "\n"
	if n, err := io.WriteString(r.JSONOutput(file), text); n != len(text) || err != nil {
		t.Fatal(n, err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"count": 12345, "a": "x [redacted] <", "b": ["[redacted]", "[redacted]"], "c": "C:\\"}` + "\n"
	if string(got) != want || !json.Valid(got) {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestRedactorLearnsWhatIsConfigured(t *testing.T) {
	file := filepath.Join(t.TempDir(), "value")
	if err := os.WriteFile(file, []byte("from-a-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SLUICE_TEST_SECRET", "from-the-environment")
	r := new(secret.Redactor)
	r.LearnSources(&config.Config{
		Secrets:    map[string]config.Source{"a": {Env: "SLUICE_TEST_SECRET"}, "b": {Env: "SLUICE_TEST_UNSET"}},
		Metrics:    map[string]config.Metrics{"m": {URL: "http://me:in-a-url@x", Password: config.Source{File: file}}},
		Webhooks:   config.Webhooks{Replace: map[string]string{"https://a": "http://me:in-another-url@x"}},
		Repository: config.Repository{Password: config.Source{File: t.TempDir()}}, // cannot be read
	})
	if got := r.Text("from-the-environment from-a-file in-a-url in-another-url"); got !=
		strings.Repeat(" "+secret.Redacted, 4)[1:] {
		t.Error(got)
	}
}

func TestRedactorLearnsPasswordsInURLs(t *testing.T) {
	r := new(secret.Redactor)
	r.LearnURLs("metrics: {a: {url: \"http://me:in-%zz-a-url@x\"}}\nb: [http://x:80/, ftp://u:another-one@y:1]")
	if got := r.Text("in-%zz-a-url another-one 80"); got != secret.Redacted+" "+secret.Redacted+" 80" {
		t.Error(got)
	}
}

func TestRedactorLearnsWhatTheKeySealsAndMakes(t *testing.T) {
	r := new(secret.Redactor)
	k, err := secret.NewKey(make([]byte, secret.KeyBytes), r)
	if err != nil {
		t.Fatal(err)
	}
	for what, value := range map[string]func() string{
		"sealed":   func() string { _, _ = k.Seal("sealed-5ecret"); return "sealed-5ecret" },
		"callback": func() string { return k.Callback("d1", "s") },
		"password": func() string { return k.Password("repository") },
	} {
		if text := value(); r.Text(text) != secret.Redacted {
			t.Errorf("%s: %q is not known", what, text)
		}
	}
	foreign := k.Preview("x")
	if k.IsCallback("d2", "s", foreign); r.Text(foreign) != foreign {
		t.Error("a stranger's guess is taken for a secret")
	}
}

// acted are the texts that the engine or a step acts on. They are recorded as they are.
var acted = []string{
	"Actor.Via", "Actor.Roles", "Actor.Identity", "Actor.From", "Event.Request", "Signal.Request", "AuditEntry.Verb",
	"AuditEntry.Application", "AuditEntry.Target", "Token.ID", "Token.Owner", "Token.Roles",
	"Wait.Signals", "Wait.Roles", "Signal.Kind", "Signal.Target", "Amount.Unit",
	"Change.Object", "Ref.APIVersion", "Ref.Kind", "Ref.Namespace", "Ref.Name", "Brought.Revision", "Sample.Query",
	"Verification.Dataset",
	"CollectionComparison.Name", "CollectionComparison.MissingIndexes", "CollectionComparison.AddedIndexes",
	"CollectionComparison.ChangedIndexes", "ChangedKey.Fields", "InvariantJudgment.Name",
	"Fingerprint.Engine", "Fingerprint.Version", "Fingerprint.Format", "Fingerprint.Others", "Fingerprint.Skipped",
	"CollectionFingerprint.Name", "InvariantValue.Name",
}

// TestStoreRedactsEveryText: each text of an event is redacted or listed above. A new field fails until it is either.
func TestStoreRedactsEveryText(t *testing.T) {
	const marker = "marker-5ecret"
	r := knowing(marker)
	var e sluice.Event
	texts(reflect.ValueOf(&e).Elem(), "", func(_ string, v reflect.Value) { v.SetString(marker) })
	before, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	kept := &recorder{}
	if err := r.Store(kept).Append(t.Context(), "d1", 0, e); err != nil {
		t.Fatal(err)
	}
	texts(reflect.ValueOf(&kept.event).Elem(), "", func(field string, v reflect.Value) {
		if v.String() == marker && !slices.Contains(acted, field) {
			t.Errorf("%s is kept as it is", field)
		}
	})
	if after, err := json.Marshal(e); err != nil || string(after) != string(before) {
		t.Errorf("the caller's event was changed: %s, %v", after, err)
	}
	_, _ = r.Store(kept).Send(t.Context(), "d1", *e.Signal)
	_ = r.Store(kept).Refuse(t.Context(), 1, *e.Failure)
	if kept.signal.Reason != secret.Redacted || kept.refusal.Message != secret.Redacted {
		t.Errorf("%+v, %+v", kept.signal, kept.refusal)
	}
}

// TestStoreRedactsEveryTextOfIdentities is the same for tokens and the audit.
func TestStoreRedactsEveryTextOfIdentities(t *testing.T) {
	const marker = "marker-5ecret"
	kept := &recorder{}
	var token sluice.Token
	var entry sluice.AuditEntry
	for _, v := range []any{&token, &entry} {
		texts(reflect.ValueOf(v).Elem(), "", func(_ string, v reflect.Value) { v.SetString(marker) })
	}
	store := knowing(marker).Store(kept)
	if err := errors.Join(store.PutToken(t.Context(), token), store.Record(t.Context(), entry)); err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{&kept.token, &kept.entry} {
		texts(reflect.ValueOf(v).Elem(), "", func(field string, v reflect.Value) {
			if v.String() == marker && !slices.Contains(acted, field) {
				t.Errorf("%s is kept as it is", field)
			}
		})
	}
	if e := kept.entry; kept.token.Name != secret.Redacted || e.Reason != secret.Redacted || e.By.Name != secret.Redacted {
		t.Errorf("%+v, %+v", kept.token, kept.entry)
	}
}

// texts visits every text in v, with the type and the name of its field. It makes what pointers and lists hold. Texts
// of types of their own, such as ids, and the plan are no texts for people.
func texts(v reflect.Value, field string, visit func(field string, v reflect.Value)) {
	switch {
	case v.Type() == reflect.TypeFor[*sluice.Plan](), v.Type() == reflect.TypeFor[json.RawMessage](),
		v.Type() == reflect.TypeFor[time.Time]():
	case v.Type() == reflect.TypeFor[string]():
		visit(field, v)
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		texts(v.Elem(), field, visit)
	case v.Kind() == reflect.Slice:
		if v.Len() == 0 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
		texts(v.Index(0), field, visit)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.Tag.Get("json") != "-" {
				texts(v.Field(i), v.Type().Name()+"."+f.Name, visit)
			}
		}
	}
}

// A recorder is a store that only keeps what it is given last.
type recorder struct {
	sluice.Store
	event   sluice.Event
	signal  sluice.Signal
	refusal sluice.Failure
	token   sluice.Token
	entry   sluice.AuditEntry
}

func (r *recorder) PutToken(_ context.Context, t sluice.Token) error {
	r.token = t
	return nil
}

func (r *recorder) Record(_ context.Context, e sluice.AuditEntry) error {
	r.entry = e
	return nil
}

func (r *recorder) Append(_ context.Context, _ sluice.DeploymentID, _ sluice.Seq, events ...sluice.Event) error {
	r.event = events[0]
	return nil
}

func (r *recorder) Send(_ context.Context, _ sluice.DeploymentID, sig sluice.Signal) (sluice.LetterID, error) {
	r.signal = sig
	return 1, nil
}

func (r *recorder) Refuse(_ context.Context, _ sluice.LetterID, reason sluice.Failure) error {
	r.refusal = reason
	return nil
}

func TestStoreRefusesSecretsInTheContext(t *testing.T) {
	r := knowing("marker-5ecret", "shop")
	for name, test := range map[string]struct {
		context map[string]string
		release sluice.DeploymentID
		want    sluice.Code
	}{
		"a secret":           {map[string]string{"a": "x", "token": "marker-5ecret"}, "", sluice.Invalid},
		"a short word":       {map[string]string{"user": "shop"}, "", ""},
		"part of a secret":   {map[string]string{"token": "marker"}, "", ""},
		"an earlier release": {map[string]string{"token": "marker-5ecret"}, "d0", ""},
	} {
		p := &sluice.Plan{Context: test.context, Targets: []sluice.PlannedTarget{{Name: "a", Release: test.release}}}
		err := r.Store(&recorder{}).Append(t.Context(), "d1", 0, sluice.Event{Plan: p})
		if sluice.ErrorCode(err) != test.want || err != nil && (!strings.Contains(err.Error(), "token") ||
			strings.Contains(err.Error(), "5ecret") || sluice.ErrorHint(err) == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStepsReportRedacted: also a secret of the plan that this process did not seal.
func TestStepsReportRedacted(t *testing.T) {
	sealed := sluice.Object{"kind": "Secret", "stringData": map[string]any{"a": "marker-5ecret"}}
	if err := manifest.SealSecrets([]sluice.Object{sealed}, newKey(t, 1)); err != nil {
		t.Fatal(err)
	}
	plan := &sluice.Plan{Steps: []sluice.PlannedStep{{StepSpec: sluice.StepSpec{
		Apply: &sluice.Apply{Objects: []sluice.Object{{"kind": "Service"}, sealed}},
	}}}}
	k, err := secret.NewKey(bytes.Repeat([]byte{1}, secret.KeyBytes), new(secret.Redactor))
	if err != nil {
		t.Fatal(err)
	}
	var got sluice.Progress
	steps := k.Steps(reportsMarker{})
	for range 2 {
		_, err := steps.New(sluice.StepContext{Plan: plan, Report: func(p sluice.Progress) { got = p }})
		if err != nil || got.Message != "it says "+secret.Redacted {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if v := sealed.Text("stringData", "a"); !strings.HasPrefix(v, "sluice-sealed:") {
		t.Errorf("the plan holds %q now", v)
	}
}

// reportsMarker makes no step but reports at once.
type reportsMarker struct{}

func (reportsMarker) New(sc sluice.StepContext) (sluice.Step, error) {
	sc.Report(sluice.Progress{Message: "it says marker-5ecret"})
	return nil, nil
}
