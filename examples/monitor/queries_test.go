package main

import (
	"encoding/json"
	"io/fs"
	"maps"
	"math"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"go.yaml.in/yaml/v2"
)

// A query is one of a file that people start from, with the limits of good values.
type query struct {
	file, text   string
	lower, upper *float64
}

// isGood reports whether the value is within the limits.
func (q query) isGood(value float64) bool {
	return (q.upper == nil || value <= *q.upper) && (q.lower == nil || value >= *q.lower)
}

const queryKey = "queryTemplate:"

var variable = regexp.MustCompile(`\{\{.*?\}\}|\[\[.*?\]\]`)

// queries returns every query of the starter files, the examples and the documents, with values for their variables.
func queries(t *testing.T) (all []query) {
	t.Helper()
	for _, dir := range []string{"README.md", "docs", "examples", "cmd/sluice/templates", "internal/starter"} {
		err := filepath.WalkDir(filepath.Join("../..", dir), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !slices.Contains([]string{".md", ".yaml", ".tmpl"}, filepath.Ext(path)) {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			lines := strings.Split(string(data), "\n")
			for i, line := range lines {
				if strings.Contains(line, queryKey) {
					all = append(all, queryAt(t, path, lines, i))
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(all) < 10 {
		t.Fatalf("only %d queries were found", len(all))
	}
	return all
}

// queryAt reads the element of a list of YAML that has the line, also if it is commented out.
func queryAt(t *testing.T, path string, lines []string, at int) query {
	t.Helper()
	first := at
	for first > 0 && !strings.HasPrefix(strings.TrimSpace(uncommented(lines[first])), "- ") {
		first--
	}
	item := uncommented(lines[first])
	for _, next := range lines[first+1:] {
		if next = uncommented(next); indent(next) <= indent(lines[first]) {
			break
		}
		item += "\n" + next
	}
	var found []struct {
		Text  string   `yaml:"queryTemplate"`
		Lower *float64 `yaml:"lowerLimit"`
		Upper *float64 `yaml:"upperLimit"`
	}
	if err := yaml.Unmarshal([]byte(item), &found); err != nil || len(found) != 1 || found[0].Text == "" {
		t.Fatalf("%s:%d: no query can be read: %v\n%s", path, at+1, err, item)
	}
	text := strings.NewReplacer("{{armory.promQlStepInterval}}", "30s", "[[armory.promQlStepInterval]]", "30s").
		Replace(found[0].Text)
	return query{path, variable.ReplaceAllString(text, "it"), found[0].Lower, found[0].Upper}
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// uncommented returns the line without the mark of a comment that is at its beginning.
func uncommented(line string) string {
	if rest, ok := strings.CutPrefix(line, "#"); ok {
		return " " + rest
	}
	return line
}

// Without data no query has a value: the verdict is unknown, never good.
func TestQueriesWithoutDataHaveNoValue(t *testing.T) {
	_, server := open(t)
	for _, q := range queries(t) {
		if value, ok := measure(t, server, q, time.Now()); ok {
			t.Errorf("%s: %s: without data the value is %v", q.file, q.text, value)
		}
	}
}

// A canary that answers nothing but errors is never good: a query that reads codes is bad, and of each file some query
// is not good.
func TestQueriesOfErrorsSeeErrors(t *testing.T) {
	caught := map[string]bool{}
	for _, q := range queries(t) {
		db, server := open(t)
		now := time.Now().Truncate(time.Second)
		for _, series := range selected(t, q.text) {
			app := db.Appender(t.Context())
			for i := range 31 {
				at := now.Add(time.Duration(i-30) * time.Second)
				if _, err := app.Append(storage.SeriesRef(0), series, at.UnixMilli(), float64(i)); err != nil {
					t.Fatal(err)
				}
			}
			if err := app.Commit(); err != nil {
				t.Fatal(err)
			}
		}
		value, ok := measure(t, server, q, now)
		caught[q.file] = caught[q.file] || !ok || !q.isGood(value)
		if strings.Contains(q.text, errorCode) && (!ok || q.isGood(value)) {
			t.Errorf("%s: %s: %v of a canary with errors only is not bad", q.file, q.text, value)
		}
	}
	for file, ok := range caught {
		if !ok {
			t.Errorf("%s: a canary that answers only errors is good by every query", file)
		}
	}
}

// measure asks for the one value of the query at the instant; ok is false if there is none or it is no number.
func measure(t *testing.T, server *httptest.Server, q query, at time.Time) (value float64, ok bool) {
	t.Helper()
	status, text := ask(t, server, "/api/v1/query",
		url.Values{"query": {q.text}, "time": {strconv.FormatInt(at.Unix(), 10)}})
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status != 200 || len(answer.Data.Result) > 1 {
		t.Fatalf("%s: %s: %d %s", q.file, q.text, status, text)
	}
	if len(answer.Data.Result) == 0 {
		return 0, false
	}
	value, err := strconv.ParseFloat(answer.Data.Result[0].Value[1].(string), 64)
	if err != nil {
		t.Fatal(err)
	}
	return value, !math.IsNaN(value) && !math.IsInf(value, 0)
}

// errorCode is how queries select the answers with errors, by whichever label.
const errorCode = "5.."

// selected returns the series of failed requests that the query's selectors ask for, each once.
func selected(t *testing.T, text string) []labels.Labels {
	t.Helper()
	expr, err := parser.ParseExpr(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	selectors := parser.ExtractSelectors(expr)
	failed := labels.NewBuilder(labels.EmptyLabels())
	for _, m := range slices.Concat(selectors...) {
		if m.Value == errorCode {
			failed.Set(m.Name, "500")
		}
	}
	all := map[uint64]labels.Labels{}
	for _, s := range selectors {
		b := labels.NewBuilder(failed.Labels())
		for _, m := range s {
			value := strings.ReplaceAll(m.Value, ".+", "x")
			if value != errorCode && m.Type != labels.MatchNotEqual && m.Matches(value) {
				b.Set(m.Name, value)
			}
		}
		all[b.Labels().Hash()] = b.Labels()
	}
	return slices.Collect(maps.Values(all))
}
