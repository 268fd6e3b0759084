package api_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/internal/api"
)

var update = flag.Bool("update", false, "write the table of operations into docs/api.md")

// The table of operations stands between these lines of docs/api.md.
const (
	document = "../../docs/api.md"
	begin    = "<!-- operations: go test ./internal/api -run Operations -update -->\n"
	end      = "<!-- end -->\n"
)

// An openAPI is what the table shows of the description of the API.
type openAPI struct {
	Paths map[string]map[string]struct {
		Summary    string `json:"summary"`
		Parameters []struct {
			Name     string `json:"name"`
			In       string `json:"in"`
			Required bool   `json:"required"`
		} `json:"parameters"`
		Body struct {
			Content map[string]struct {
				Schema struct {
					Ref string `json:"$ref"`
				} `json:"schema"`
			} `json:"content"`
		} `json:"requestBody"`
	} `json:"paths"`
	Components struct {
		Schemas map[string]struct {
			Properties map[string]any `json:"properties"`
			Required   []string       `json:"required"`
		} `json:"schemas"`
	} `json:"components"`
}

// verbs are in the order of the table.
var verbs = []string{"get", "post", "patch", "delete"}

func (o *openAPI) table(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| request | what it does | query | fields of the body |\n|---|---|---|---|\n")
	for _, at := range slices.Sorted(maps.Keys(o.Paths)) {
		written := 0
		for _, verb := range verbs {
			op, ok := o.Paths[at][verb]
			if !ok {
				continue
			}
			written++
			var query []string
			for _, p := range op.Parameters {
				if p.In == "query" {
					query = append(query, name(p.Name, p.Required))
				}
			}
			fmt.Fprintf(&b, "| `%s %s` | %s | %s | %s |\n", strings.ToUpper(verb), strings.TrimPrefix(at, api.Prefix),
				op.Summary, strings.Join(query, " "), o.fields(op.Body.Content["application/json"].Schema.Ref))
		}
		if written != len(o.Paths[at]) {
			t.Errorf("%s has a verb that the table does not show: %v", at, o.Paths[at])
		}
	}
	return b.String()
}

// fields lists the fields of the schema.
func (o *openAPI) fields(ref string) string {
	if ref == "" {
		return ""
	}
	s := o.Components.Schemas[path.Base(ref)]
	var all []string
	for _, field := range slices.Sorted(maps.Keys(s.Properties)) {
		if field != "$schema" {
			all = append(all, name(field, slices.Contains(s.Required, field)))
		}
	}
	return strings.Join(all, " ")
}

func name(text string, required bool) string {
	if required {
		return "**`" + text + "`**"
	}
	return "`" + text + "`"
}

func TestTheTableOfOperationsIsThatOfTheAPI(t *testing.T) {
	w := newWorld(t, openStore(t))
	resp, err := http.Get(w.http.URL + api.Prefix + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var o openAPI
	if err := json.NewDecoder(resp.Body).Decode(&o); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), begin)
	old, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no lines %q and %q", document, begin, end)
	}
	table := o.table(t)
	if strings.Count(table, "\n") < 20 {
		t.Errorf("the table is too short: %s", table)
	}
	switch {
	case table == old:
	case *update:
		if err := os.WriteFile(document, []byte(before+begin+table+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s does not show the operations; run go test ./internal/api -run Operations -update", document)
	}
}
