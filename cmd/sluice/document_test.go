package main

import (
	"encoding"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/api"
	"github.com/sluice-cd/sluice/internal/bootstrap"
	"github.com/sluice-cd/sluice/internal/present"
	"github.com/sluice-cd/sluice/internal/service"
)

var update = flag.Bool("update", false, "write the schema of JSON output")

// documents are the kinds of JSON output.
var documents = map[string]any{
	"Address":          addressOutput{},
	"AuditList":        []sluice.AuditEntry{},
	"Branch":           service.ReachedBranch{},
	"BranchList":       []sluice.Branch{},
	"Checkpoint":       present.CheckpointOutput{},
	"CheckpointList":   []present.CheckpointOutput{},
	"Deleted":          deletedOutput{},
	"Deployment":       present.Deployment{},
	"DeploymentList":   []present.Deployment{},
	"Detached":         detachedOutput{},
	"Diagnosis":        doctorOutput{},
	"Ended":            endedOutput{},
	"Event":            present.EventLine{},
	"HistoryList":      []present.Past{},
	"Initialized":      initOutput{},
	"Login":            loginOutput{},
	"Logout":           logoutOutput{},
	"NotificationTest": notifyTestOutput{},
	"Outcome":          present.OutcomeLine{},
	"Plan":             present.PlanOutput{},
	"PodList":          []bootstrap.LocalPod{},
	"PodLog":           []string{},
	"Reaped":           service.Reaped{},
	"Serving":          servingOutput{},
	"SignalSent":       sentOutput{},
	"Token":            api.MadeToken{},
	"TokenDeleted":     tokenDeletedOutput{},
	"TokenList":        []sluice.Token{},
	"Validation":       validateOutput{},
	"Verified":         dataVerifyOutput{},
	"Version":          bootstrap.Build{},
}

var schemaFile = filepath.Join("..", "..", "schema", "output.json")

// schema/output.json describes every document that a command prints.
func TestSchemaOfOutput(t *testing.T) {
	d := definitions{t: t, all: map[string]any{}, types: map[string]reflect.Type{}}
	for _, kind := range slices.Sorted(maps.Keys(documents)) {
		d.all[kind] = d.document(kind, reflect.TypeOf(documents[kind]))
	}
	var anyOf []any
	for _, kind := range slices.Sorted(maps.Keys(documents)) {
		anyOf = append(anyOf, ref(kind))
	}
	want, err := json.MarshalIndent(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "JSON output of sluice", "$defs": d.all,
		"anyOf": anyOf,
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, append(want, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want)+"\n", string(got)); diff != "" {
		t.Errorf("the types (-) and %s (+) differ; go test ./cmd/sluice -run SchemaOfOutput -update writes it:\n%s",
			schemaFile, diff)
	}
}

// definitions are the schemas of types, by name.
type definitions struct {
	t     *testing.T
	all   map[string]any
	types map[string]reflect.Type
}

func ref(name string) map[string]any { return map[string]any{"$ref": "#/$defs/" + name} }

// document is the schema of a document with the fields of the type, or with a list of its elements.
func (d definitions) document(kind string, of reflect.Type) map[string]any {
	s := map[string]any{"type": "object", "additionalProperties": false}
	properties, required := map[string]any{}, []string{"items"}
	if of.Kind() == reflect.Struct {
		properties, required = d.fields(of)
	} else {
		properties["items"] = d.of(of)
	}
	if properties["kind"] != nil || properties["apiVersion"] != nil {
		d.t.Errorf("%s has a field of its own with the name of one that every document has", kind)
	}
	properties["apiVersion"] = map[string]any{"const": present.APIVersion}
	properties["kind"] = map[string]any{"const": kind}
	s["properties"], s["required"] = properties, append([]string{"apiVersion", "kind"}, required...)
	return s
}

var (
	instant = reflect.TypeFor[time.Time]()
	lasting = reflect.TypeFor[present.Span]()
	worded  = reflect.TypeFor[encoding.TextMarshaler]()
)

func (d definitions) of(t reflect.Type) map[string]any {
	switch {
	case t == instant:
		return map[string]any{"type": "string", "format": "date-time"}
	case t == lasting:
		return map[string]any{"type": "string", "pattern": `^([0-9.]+(h|m|s|ms|µs|ns))+$`}
	case t == reflect.TypeFor[time.Duration](), t == reflect.TypeFor[json.RawMessage]():
		d.t.Errorf("%s cannot be in JSON output: write a duration as text, and no internals", t)
	case t.Implements(worded):
		return map[string]any{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return d.of(t.Elem())
	case reflect.Slice:
		return map[string]any{"type": "array", "items": d.of(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": d.of(t.Elem())}
	case reflect.Struct:
		return d.object(t)
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return map[string]any{"type": "integer"}
	}
	d.t.Fatalf("%s has no place in JSON output", t)
	return nil
}

// object refers to the definition of a type. Its name begins with a small letter, unlike that of a document.
func (d definitions) object(t reflect.Type) map[string]any {
	name := []rune(strings.TrimSuffix(t.Name(), "Output"))
	name[0] = unicode.ToLower(name[0])
	if other := d.types[string(name)]; other != nil && other != t {
		d.t.Errorf("%s and %s have the same name in the schema", t, other)
	}
	if d.all[string(name)] == nil {
		d.types[string(name)] = t
		properties, required := d.fields(t)
		d.all[string(name)] = map[string]any{
			"type": "object", "additionalProperties": false, "properties": properties, "required": required,
		}
	}
	return ref(string(name))
}

func (d definitions) fields(t reflect.Type) (properties map[string]any, required []string) {
	properties, required = map[string]any{}, []string{}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" || !f.IsExported() {
			continue // of an embedded struct, whose fields are visible
		}
		properties[name] = d.of(f.Type)
		if options == "" {
			required = append(required, name)
		}
	}
	return properties, required
}

// conforms KIND... checks that the last command printed documents of these kinds, and that they conform to the schema.
func conforms(ts *testscript.TestScript, neg bool, kinds []string) {
	if neg || len(kinds) == 0 {
		ts.Fatalf("usage: conforms KIND...")
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	var found []string
	for d := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout"))); ; {
		var document map[string]any
		err := d.Decode(&document)
		if errors.Is(err, io.EOF) {
			break
		}
		ts.Check(err)
		kind, _ := document["kind"].(string)
		schema, err := compiler.Compile(filepath.Join(sourceDir, schemaFile) + "#/$defs/" + kind)
		ts.Check(err)
		ts.Check(schema.Validate(document))
		if !slices.Contains(found, kind) {
			found = append(found, kind)
		}
	}
	if diff := cmp.Diff(kinds, found); diff != "" {
		ts.Fatalf("kinds (-want +got):\n%s", diff)
	}
}

// A script checks each kind.
func TestEveryDocumentIsChecked(t *testing.T) {
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var checked []string
	for _, script := range scripts {
		data, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, kinds := range firstGroups(regexp.MustCompile(`(?m)^conforms (.+)$`), string(data)) {
			checked = append(checked, strings.Fields(kinds)...)
		}
	}
	for kind := range documents {
		if !slices.Contains(checked, kind) {
			t.Errorf("no script checks a document of the kind %s: conforms %s", kind, kind)
		}
	}
}
