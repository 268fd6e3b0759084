package main

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
)

// A query is one of a file that people start from.
type query struct{ file, text string }

var (
	queryKey = regexp.MustCompile(`^(\s*)queryTemplate:\s*(.*)$`)
	variable = regexp.MustCompile(`\{\{.*?\}\}|\[\[.*?\]\]`)
)

// queries returns the queries of the starter files, the examples and the documents, with values for their variables.
func queries(t *testing.T) []query {
	t.Helper()
	var all []query
	for _, pattern := range []string{"cmd/sluice/templates/*.yaml", "examples/deploy/*.yaml", "docs/*.md", "README.md"} {
		files, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range queriesIn(string(data)) {
				text = strings.NewReplacer("{{armory.promQlStepInterval}}", "30s", "[[armory.promQlStepInterval]]", "30s").
					Replace(text)
				all = append(all, query{file, variable.ReplaceAllString(text, "it")})
			}
		}
	}
	return all
}

// queriesIn finds queries in YAML, also if it is commented out, on one line or folded.
func queriesIn(text string) []string {
	var found []string
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		m := queryKey.FindStringSubmatch(uncommented(line))
		if m == nil || strings.HasPrefix(strings.TrimSpace(m[2]), "|") {
			continue
		}
		body := m[2]
		if strings.HasPrefix(body, ">") {
			body = ""
			for _, next := range lines[i+1:] {
				next = uncommented(next)
				if len(next)-len(strings.TrimLeft(next, " ")) <= len(m[1]) {
					break
				}
				body += " " + strings.TrimSpace(next)
			}
		}
		found = append(found, strings.Trim(body, `'"`))
	}
	return found
}

func uncommented(line string) string {
	if rest, ok := strings.CutPrefix(line, "#"); ok {
		return " " + rest
	}
	return line
}

// Without data no query has a value: the verdict is unknown, never good.
func TestQueriesWithoutDataHaveNoValue(t *testing.T) {
	_, server := open(t)
	all := queries(t)
	if len(all) < 10 {
		t.Fatalf("only %d queries were found", len(all))
	}
	for _, q := range all {
		status, answer := ask(t, server, "/api/v1/query", url.Values{"query": {q.text}})
		if status != 200 || !strings.Contains(answer, `"result":[]`) {
			t.Errorf("%s: %s: %d %s", q.file, q.text, status, answer)
		}
	}
}

// If the canary answers nothing but errors, the share of errors is all of them.
func TestQueriesOfErrorsSeeErrors(t *testing.T) {
	seen := 0
	for _, q := range queries(t) {
		if !strings.Contains(q.text, "5..") {
			continue
		}
		seen++
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
		_, answer := ask(t, server, "/api/v1/query",
			url.Values{"query": {q.text}, "time": {strconv.FormatInt(now.Unix(), 10)}})
		if !strings.Contains(answer, `,"1"]`) {
			t.Errorf("%s: %s: %s", q.file, q.text, answer)
		}
	}
	if seen < 2 {
		t.Errorf("only %d queries of errors were found", seen)
	}
}

// selected returns the series of failed requests that the query's selectors match, each once.
func selected(t *testing.T, text string) []labels.Labels {
	t.Helper()
	expr, err := parser.ParseExpr(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	all := map[uint64]labels.Labels{}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		s, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		b := labels.NewBuilder(labels.FromStrings("code", "500"))
		for _, m := range s.LabelMatchers {
			if m.Type == labels.MatchEqual {
				b.Set(m.Name, m.Value)
			}
		}
		all[b.Labels().Hash()] = b.Labels()
		return nil
	})
	var list []labels.Labels
	for _, l := range all {
		list = append(list, l)
	}
	return list
}
