package deployfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

type refKind string

const (
	refTarget   refKind = "target"
	refStrategy refKind = "strategy"
	refWebhook  refKind = "webhook"
	refQuery    refKind = "query"
	refDataset  refKind = "dataset"
)

// A reference is a use of a name that the file must define.
type reference struct {
	pos      sluice.Position
	kind     refKind
	name     string
	lenient  bool // an undefined name is a warning
	provided bool // the step names a metric provider itself
}

func (p *parser) refer(f *fieldset, key string, kind refKind, name string) {
	if name != "" {
		p.refs = append(p.refs, reference{pos: p.at(f.get(key)), kind: kind, name: name})
	}
}

func (p *parser) referEach(f *fieldset, key string, names []string, r reference) {
	for i, name := range names {
		r.pos, r.name = p.at(f.get(key).Content[i]), name
		p.refs = append(p.refs, r)
	}
}

var unknownName = map[refKind]string{
	refTarget: codeUnknownTarget, refStrategy: codeUnknownStrategy, refWebhook: codeUnknownWebhook,
	refQuery: codeUnknownQuery, refDataset: codeUnknownDataset,
}

var howToDefine = map[refKind]string{
	refTarget:   "define it below targets:, or remove the name",
	refStrategy: "define it below strategies:, as in {{name}}: {canary: {steps: [{setWeight: {weight: 100}}]}}",
	refWebhook:  "define it below webhooks:, as in - {name: {{name}}, uriTemplate: …}",
	refQuery:    "define it below analysis: queries:, as in - {name: {{name}}, queryTemplate: …, upperLimit: …}",
	refDataset:  "define it below datasets:, as in {{name}}: {engine: mongodb, claims: […]}",
}

// defined returns the places of all names that the file defines.
func (p *parser) defined() map[refKind]map[string]sluice.Position {
	targets := map[string]sluice.Position{}
	for name, n := range p.pos {
		targets[name] = p.at(n)
	}
	s := p.spec
	return map[refKind]map[string]sluice.Position{
		refTarget:   targets,
		refStrategy: places(s.Strategies, func(t sluice.Strategy) sluice.Position { return t.Pos }),
		refWebhook:  places(s.Webhooks, func(w sluice.Webhook) sluice.Position { return w.Pos }),
		refQuery:    places(s.Analysis.Queries, func(q sluice.Query) sluice.Position { return q.Pos }),
		refDataset:  places(s.Datasets, func(d sluice.Dataset) sluice.Position { return d.Pos }),
	}
}

func places[T any](named map[string]T, at func(T) sluice.Position) map[string]sluice.Position {
	all := map[string]sluice.Position{}
	for name, v := range named {
		all[name] = at(v)
	}
	return all
}

func (p *parser) resolve() {
	names := map[refKind][]string{}
	for kind, named := range p.defined() {
		names[kind] = slices.Sorted(maps.Keys(named))
		p.checkSimilar(kind, named, names[kind])
	}
	for _, r := range p.refs {
		if r.name == "" || p.broken[r.kind] {
			continue
		}
		if _, ok := slices.BinarySearch(names[r.kind], r.name); !ok {
			p.undefined(r, names[r.kind])
			continue
		}
		if r.kind == refQuery {
			p.checkProvider(r)
		}
	}
}

// checkSimilar warns of names that people take for each other.
func (p *parser) checkSimilar(kind refKind, at map[string]sluice.Position, names []string) {
	first := map[string]string{}
	for _, name := range names {
		other, taken := first[strings.ToLower(name)]
		if !taken {
			first[strings.ToLower(name)] = name
			continue
		}
		p.add(at[name], sluice.SeverityWarning, codeSimilarName, "rename one of them",
			fmt.Sprintf("the %s %s differs from %s only in the case of its letters", kind, clip(name), clip(other)))
	}
}

var sections = map[refKind]struct {
	key  string
	kind yaml.Kind
}{
	refTarget:   {"targets", yaml.MappingNode},
	refStrategy: {"strategies", yaml.MappingNode},
	refWebhook:  {"webhooks", yaml.SequenceNode},
	refQuery:    {"analysis", yaml.MappingNode},
	refDataset:  {"datasets", yaml.MappingNode},
}

func (p *parser) markBroken(f *fieldset) {
	for kind, section := range sections {
		if v := f.get(section.key); v != nil && v.Kind != section.kind {
			p.broken[kind] = true
		}
	}
	if f.table == keysRoot && !f.has("targets") {
		p.broken[refTarget] = true
	}
}

func (p *parser) undefined(r reference, names []string) {
	hint := strings.ReplaceAll(howToDefine[r.kind], "{{name}}", clip(r.name))
	if near := yamldoc.Nearest(r.name, names); near != "" {
		hint = "did you mean " + near + "?"
	}
	severity := sluice.SeverityError
	if r.lenient {
		severity = sluice.SeverityWarning
	}
	p.add(r.pos, severity, unknownName[r.kind], hint, fmt.Sprintf("there is no %s %s", r.kind, clip(r.name)))
}

func (p *parser) checkProvider(r reference) {
	q := p.spec.Analysis.Queries[r.name]
	if r.provided || q.Provider != "" || p.spec.Analysis.DefaultProvider != "" {
		return
	}
	p.errorAt(q.Pos, codeNoMetricProvider,
		"add defaultMetricProviderName: below analysis:, or metricProviderName: to the query",
		"the query %s names no metric provider, and there is no default", clip(r.name))
}

// checkCycles reports each circle of dependencies once, at its first target in the file.
func (p *parser) checkCycles() {
	after := map[string][]string{}
	for i := range p.spec.Targets {
		t := &p.spec.Targets[i]
		p.dropSelf(t)
		after[t.Name] = t.DependsOn
	}
	const open, done = 1, 2
	state := map[string]int{}
	var way []string
	var visit func(name string)
	visit = func(name string) {
		if state[name] == open {
			p.cycle(append(slices.Clone(way[slices.Index(way, name):]), name))
		}
		if state[name] != 0 {
			return
		}
		state[name] = open
		way = append(way, name)
		for _, next := range after[name] {
			visit(next)
		}
		way = way[:len(way)-1]
		state[name] = done
	}
	for _, t := range p.spec.Targets {
		visit(t.Name)
	}
}

// dropSelf removes a target's dependency on itself, which real files have and which means nothing.
func (p *parser) dropSelf(t *sluice.Target) {
	if !slices.Contains(t.DependsOn, t.Name) {
		return
	}
	p.add(t.Pos, sluice.SeverityWarning, codeDependencyCycle, "remove it from its own dependsOn",
		"the target "+clip(t.Name)+" depends on itself; this is ignored")
	t.DependsOn = slices.DeleteFunc(t.DependsOn, func(name string) bool { return name == t.Name })
}

func (p *parser) cycle(way []string) {
	for i, name := range way {
		way[i] = clip(name)
	}
	at := p.pos[way[0]]
	if at == nil {
		return
	}
	p.error(at, codeDependencyCycle, "remove one of these from its dependsOn",
		"targets depend on each other in a circle: %s", strings.Join(way, " → "))
}
