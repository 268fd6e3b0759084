package template_test

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/template"
)

// fill puts the value in place of every tag.
func fill(t *testing.T, f template.Format, text, value string) string {
	t.Helper()
	out, err := filled(f, text, value)
	if err != nil {
		t.Fatalf("%s with %q: %v", text, value, err)
	}
	return out
}

func filled(f template.Format, text, value string) (string, error) {
	return template.Parse(text).Fill(f, func(string) (string, error) { return value, nil })
}

func TestParse(t *testing.T) {
	got := template.Parse("{{ a.b-c }} {{a|json}}{{\tb | url | raw }} {{}} {x} {{{c}}}").Tags()
	want := []template.Tag{{"a.b-c", []string{}}, {"a", []string{"json"}}, {"b", []string{"url", "raw"}}, {"", []string{}},
		{"c", []string{}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFillAtItsPlace(t *testing.T) {
	for name, test := range map[string]struct {
		format             template.Format
		text, value, wants string
	}{
		"JSON text":          {template.JSON, `{"a": "x {{v}}"}`, "say \"hi\"\n<b>\\", `{"a": "x say \"hi\"\n<b>\\"}`},
		"JSON number":        {template.JSON, `{"a": {{v}}}`, "12", `{"a": 12}`},
		"JSON list":          {template.JSON, `{"a": [{{v}}]}`, `"x", "y"`, `{"a": ["x", "y"]}`},
		"JSON filter":        {template.JSON, `{"a": {{v | json}}}`, `a"b`, `{"a": "a\"b"}`},
		"JSON filter quoted": {template.JSON, `{"a": "{{v | json}}"}`, `a"b`, `{"a": "a\"b"}`},
		"JSON raw":           {template.JSON, `{"a": "{{v | raw}}"}`, `a\nb`, `{"a": "a\nb"}`},
		"JSON escaped quote": {template.JSON, `{"a": "\"{{v}}"}`, `"`, `{"a": "\"\""}`},
		"JSON comment":       {template.JSON, `{"a": "{{v}}"} # note`, `"`, `{"a": "\""} # note`},
		"JSON URL in text":   {template.JSON, `{"a": "http://x/?b={{v | url}}"}`, `a "b`, `{"a": "http://x/?b=a%20%22b"}`},
		"form value":         {template.Form, `a={{v}}&b=1`, "x&y=z é", `a=x%26y%3Dz%20%C3%A9&b=1`},
		"form pairs":         {template.Form, `{{v}}`, "a=1&b=2", `a=1&b=2`},
		"form JSON":          {template.Form, `a={"t": {{v | json | url}}}`, `"`, `a={"t": %22%5C%22%22}`},
		"plain":              {template.Plain, `a "{{v}}"`, "\"\n", "a \"\"\n\""},
		"plain filters":      {template.Plain, `{{v | json}} {{v | url}} {{v | raw}}`, `a b"`, `"a b\"" a%20b%22 a b"`},
		"header":             {template.Header, "Bearer {{v}}", "a\tb", "Bearer a\tb"},
		"whole URL":          {template.URL, `{{v}}`, "https://x/y?z=1#a", "https://x/y?z=1#a"},
		"base of URL":        {template.URL, ` {{v}}/run`, "https://x/y", " https://x/y/run"},
		"host and path":      {template.URL, `https://{{v}}`, "x:80/y", "https://x:80/y"},
		"host":               {template.URL, `https://{{v}}/run`, "x:80", "https://x:80/run"},
		"path":               {template.URL, `https://x/{{v}}/run`, "a b/c?d#é%", "https://x/a%20b/c%3Fd%23%C3%A9%25/run"},
		"path below base":    {template.URL, `{{b}}/{{v | url}}`, "a", "a/a"},
		"parameter":          {template.URL, `https://x/?a={{v}}&b=1`, "a&c=d e", "https://x/?a=a%26c%3Dd%20e&b=1"},
		"parameters":         {template.URL, `https://x/?{{v}}`, "a=1&b=2", "https://x/?a=1&b=2"},
		"password":           {template.URL, `https://me:{{v}}@x/`, "a@b/c", "https://me:a%40b%2Fc@x/"},
		"URL raw":            {template.URL, `https://x/{{v | raw}}`, "a%2Fb?c", "https://x/a%2Fb?c"},
		"query literal":      {template.PromQL, `up{a="{{v}}"}`, "a\"b\\c\n", `up{a="a\"b\\c\n"}`},
		"single quotes":      {template.PromQL, `up{a='{{v}}'}`, `a'b"`, `up{a='a\'b"'}`},
		"backquotes":         {template.PromQL, "up{a=`{{v}}`}", `a\b`, "up{a=`a\\b`}"},
		"part of a query":    {template.PromQL, `rate({{v}}[1m])`, `up{a="b"}`, `rate(up{a="b"}[1m])`},
		"query comment": {template.PromQL, "up # it's {{v}}\n + up{a=\"{{v}}\"}", "\"\n",
			"up # it's \" \n + up{a=\"\\\"\\n\"}"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fill(t, test.format, test.text, test.value); got != test.wants {
				t.Errorf("got  %s\nwant %s", got, test.wants)
			}
		})
	}
}

func TestFillRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		format            template.Format
		text, value, says string
	}{
		"text without quotes":   {template.JSON, `{"a": {{v}}}`, "hush", "{{v}}"},
		"raw quote":             {template.JSON, `{"a": "{{v | raw}}"}`, `hush"`, "{{v}}"},
		"more than a value":     {template.JSON, `{"a": {{v}}}`, `1} hush`, "not with the values"},
		"line end in header":    {template.Header, "Bearer {{v}}", "hush\r\nX-Admin: 1", "line end"},
		"raw line end":          {template.Header, "Bearer {{v | raw}}", "hush\n", "line end"},
		"backquote":             {template.PromQL, "up{a=`{{v}}`}", "hush`", "backquote"},
		"up the path":           {template.URL, "https://x/y/{{v}}", "hush/../z", "out of the path"},
		"other host":            {template.URL, "https://{{v}}.example.com/run", "hush.com/?", "not only a host"},
		"filter that is no one": {template.Plain, "{{v | upper}}", "hush", `filter "upper"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := filled(test.format, test.text, test.value)
			if sluice.ErrorCode(err) != sluice.Invalid || !strings.Contains(err.Error(), test.says) ||
				sluice.ErrorHint(err) == "" {
				t.Errorf("got %v, want it to say %q", err, test.says)
			}
			if err != nil && strings.Contains(err.Error()+sluice.ErrorHint(err), "hush") {
				t.Errorf("the error shows the value: %v", err)
			}
		})
	}
}

func TestBody(t *testing.T) {
	for _, test := range []struct{ contentType, text, want string }{
		{"application/json; charset=utf-8", `"{{v}}"`, `"\""`},
		{"application/vnd.github+JSON", `{"a":"{{v}}", {{more}}`, `{"a":"\"", "`},
		{"", `{"a":"{{v}}"}`, `{"a":"\""}`},
		{"text/plain", ` ["{{v}}"] # a note`, ` ["\""] # a note`},
		{"", `said "{{v}}"`, `said """`},
		{"", `{{v}}`, `"`},
		{"", `{not JSON "{{v}}"}`, `{not JSON """}`},
		{"application/x-www-form-urlencoded", `{"a"="{{v}}"}`, `{"a"="%22"}`},
	} {
		if got := fill(t, template.Body(test.contentType, template.Parse(test.text)), test.text, `"`); got != test.want {
			t.Errorf("%s %s: got %s, want %s", test.contentType, test.text, got, test.want)
		}
	}
}

// FuzzPlaces proves that a value is read back as it was, whatever it holds.
func FuzzPlaces(f *testing.F) {
	for _, s := range []string{
		"", "plain", "a\"b", "a\\", "\n\r\t\x00", "a&b=c+d %41#?/;", "é\u2028😀", "{{x}}", "'`<b>", "..",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if !utf8.ValidString(value) {
			t.Skip("JSON has no other texts")
		}
		var object map[string]string
		text := fill(t, template.JSON, `{"a": "{{v}}", "{{v}}": {{v | json}}}`, value)
		if err := json.Unmarshal([]byte(text), &object); err != nil || object[value] != value {
			t.Errorf("JSON: %q became %s, %v", value, text, err)
		}
		u, err := url.Parse(fill(t, template.URL, "http://me:{{v}}@x/?a={{v}}&b=1", value))
		if err != nil {
			t.Fatal(err)
		}
		password, _ := u.User.Password()
		if q := u.Query(); q.Get("a") != value || q.Get("b") != "1" || len(q) != 2 || password != value {
			t.Errorf("URL: %q became %s", value, u)
		}
		if path, err := filled(template.URL, "http://x/a/{{v}}/b", value); err == nil {
			u, err := url.Parse(path)
			if err != nil || u.Path != "/a/"+value+"/b" || u.RawQuery != "" || u.Fragment != "" {
				t.Errorf("path: %q became %s, %v", value, path, err)
			}
		}
		form, err := url.ParseQuery(fill(t, template.Form, "a={{v}}&b=1", value))
		if err != nil || form.Get("a") != value || form.Get("b") != "1" || len(form) != 2 {
			t.Errorf("form: %q became %v, %v", value, form, err)
		}
		literal := strings.TrimSuffix(strings.TrimPrefix(fill(t, template.PromQL, `up{a="{{v}}"}`, value), "up{a="), "}")
		if got, err := strconv.Unquote(literal); err != nil || got != value {
			t.Errorf("query: %q became %s, %v", value, literal, err)
		}
		if header, err := filled(template.Header, "{{v}}", value); err == nil && strings.ContainsAny(header, "\r\n\x00") {
			t.Errorf("header: %q was accepted", value)
		}
	})
}
