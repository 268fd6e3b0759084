package compose

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/interpolation"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

// A Source is a compose file and what it depends on.
type Source struct {
	Name        string // in findings
	Text        []byte
	Dir         string             // where its relative paths begin
	Environment map[string]string  // of the shell; the file .env in Dir adds to it
	Secret      func(value string) // is told each value that must not be shown; nil: nobody is
}

// A Result is what became of a compose file.
type Result struct {
	Application string // its name: "" if the file has none
	Manifests   string // YAML
	Secrets     string // YAML; "" if there are none
	Jobs        []Job
	Guesses     []string
}

// A Job is a service that ends before others start.
type Job struct {
	Name string
	Text string // YAML
}

// limits bound a compose file, as long as others that people write.
var limits = yamldoc.Limits{Bytes: 4 << 20, Nodes: 100_000, Depth: 100}

var servicesKey = regexp.MustCompile(`(?m)^services[ \t]*:`)

// Is reports whether the text is a compose file and not manifests. It need not be valid.
func Is(text []byte) bool {
	roots, ds := yamldoc.Read("", text, limits)
	if ds.HasErrors() {
		return servicesKey.Match(text)
	}
	return len(roots) == 1 && yamldoc.Get(roots[0], "services") != nil && yamldoc.Get(roots[0], "kind") == nil
}

// Read turns a text that [Is] a compose file into manifests. Findings that are errors mean that there are none. It
// reads the files that the compose file names, and changes nothing.
func Read(ctx context.Context, s Source) (Result, sluice.Diagnostics) {
	if s.Secret == nil {
		s.Secret = func(string) {}
	}
	tellSecrets(s.Text, s.Secret)
	roots, ds := yamldoc.Read(s.Name, s.Text, limits)
	if ds.HasErrors() {
		return Result{}, ds
	}
	r := &reader{Source: s, root: roots[0]}
	var mistake *yamldoc.NodeError
	if _, err := yamldoc.Value(r.root); errors.As(err, &mistake) {
		r.add(mistake.Node, sluice.SeverityError, codeInvalid, mistake.Message, "write each key once, as plain text")
		return Result{}, r.findings
	}
	project, err := r.load(ctx)
	if err != nil {
		r.invalid(err)
		return Result{}, r.findings
	}
	result := r.convert(project)
	if r.findings.HasErrors() {
		return Result{}, r.findings
	}
	return result, r.findings
}

// A reader holds what is known of one compose file.
type reader struct {
	Source
	root     *yaml.Node
	findings sluice.Diagnostics
	guesses  []string
}

// load reads the file as Docker does.
func (r *reader) load(ctx context.Context) (*types.Project, error) {
	var config map[string]any
	if err := r.root.Decode(&config); err != nil {
		return nil, err
	}
	delete(config, "version") // it has no meaning any more
	if err := r.completeEnvironment(); err != nil {
		return nil, err
	}
	r.unset(config)
	details := types.ConfigDetails{
		WorkingDir: r.Dir, Environment: r.Environment,
		ConfigFiles: []types.ConfigFile{{Filename: r.Name, Config: config}},
	}
	return loader.LoadWithContext(ctx, details, r.options)
}

func (r *reader) options(o *loader.Options) {
	o.SetProjectName("application", true) // a network or volume is not named after it here
	o.SkipNormalization = true            // it adds what the file does not say
	o.UnsupportedAttributesCheck = &loader.UnsupportedAttributesCheck{
		Patterns: subtrees(), Supported: understood, Report: r.unsupported,
	}
	o.Interpolate = &interpolation.Options{
		LookupValue: o.Interpolate.LookupValue, TypeCastMapping: o.Interpolate.TypeCastMapping,
		Substitute: func(text string, lookup template.Mapping) (string, error) {
			return template.SubstituteWithOptions(text, lookup, template.WithoutLogging)
		},
	}
}

// completeEnvironment adds the variables of the file .env, which the shell's own replace.
func (r *reader) completeEnvironment() error {
	all := map[string]string{}
	file := filepath.Join(r.Dir, ".env")
	if _, err := os.Stat(file); err == nil {
		if all, err = dotenv.GetEnvFromFile(r.Environment, []string{file}); err != nil {
			return fmt.Errorf("the file %s cannot be read: %w", file, err)
		}
	}
	maps.Copy(all, r.Environment)
	r.Environment = all
	return nil
}

// unset warns of variables that the file uses and that have no value.
func (r *reader) unset(config map[string]any) {
	variables := template.ExtractVariables(config, nil)
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		v := variables[name]
		if _, set := r.Environment[name]; set || name == "" || v.DefaultValue != "" || v.PresenceValue != "" || v.Required {
			continue
		}
		r.add(r.use(r.root, name), sluice.SeverityWarning, codeLeftOut,
			"the variable "+name+" is not set and stands for an empty text", "set it, or add it to the file .env")
	}
}

// use returns the first value that uses the variable, otherwise the root.
func (r *reader) use(n *yaml.Node, name string) *yaml.Node {
	if n.Kind == yaml.ScalarNode && (strings.Contains(n.Value, "${"+name) || strings.Contains(n.Value, "$"+name)) {
		return n
	}
	for _, child := range n.Content {
		if found := r.use(child, name); found != r.root {
			return found
		}
	}
	return r.root
}

func (r *reader) guess(format string, args ...any) {
	r.guesses = append(r.guesses, fmt.Sprintf(format, args...))
}
