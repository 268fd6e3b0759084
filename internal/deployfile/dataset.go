package deployfile

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
)

func (p *parser) datasets(f *fieldset) map[string]sluice.Dataset {
	all := map[string]sluice.Dataset{}
	f.entries("datasets", "write each dataset as name: {engine: …}, without a dash", func(name, value *yaml.Node) {
		all[name.Value] = p.datasetEntry(name, value)
	})
	return all
}

func (p *parser) datasetEntry(name, value *yaml.Node) sluice.Dataset {
	d := sluice.Dataset{Pos: p.at(name), Name: name.Value}
	f, ok := p.fields(value, "the dataset "+clip(name.Value), keysDataset)
	if !ok {
		return d
	}
	if f.need("engine", "write engine: mongodb, postgresql, mysql or files") {
		d.Engine = f.word("engine")
	}
	d.Workload = f.objectName("workload", false)
	d.Claims = f.someTexts("claims", "name the PersistentVolumeClaims that hold the data")
	d.URI = p.uri(f, d.Engine)
	d.Quiesce = p.quiesce(f)
	if d.Quiesce.Mode == "stop" && !f.has("workload") {
		p.error(f.keys["quiesce"], codeBadCombination, "add workload: with Kind/name of what uses the claims",
			"quiesce: stop needs a workload to stop")
	}
	d.Mover, d.Portworx = p.mover(f)
	hint := "begin each with a dash: - {name: …, count: orders, atLeast: baseline}"
	for _, m := range f.maps("invariants", "the invariant", hint) {
		d.Invariants = append(d.Invariants, p.invariant(m))
	}
	return d
}

func (p *parser) uri(f *fieldset, engine string) string {
	if !f.has("database") {
		if engine != "files" && engine != "" {
			f.need("database", `write database: {uri: "`+engine+`://…"}`)
		}
		return ""
	}
	if engine == "files" {
		p.error(f.keys["database"], codeBadCombination, "remove database:", "the engine files has no database")
		return ""
	}
	m, ok := f.inner("database", "database")
	if !ok {
		return ""
	}
	return m.name("uri", "write how the database is reached inside the namespace")
}

func (p *parser) quiesce(f *fieldset) sluice.Quiesce {
	v := f.get("quiesce")
	if v == nil || v.Kind == yaml.ScalarNode {
		return sluice.Quiesce{Mode: f.choice("quiesce", "auto")}
	}
	m, ok := f.inner("quiesce", "quiesce")
	if !ok {
		return sluice.Quiesce{}
	}
	m.need("before", "write the commands that stop writes")
	return sluice.Quiesce{Mode: "commands", Before: p.commands(m, "before"), After: p.commands(m, "after")}
}

// commands reads a list of commands, or one command: a list of words, or a line that sh runs.
func (p *parser) commands(f *fieldset, key string) [][]string {
	items := f.items(key, "write a list of commands: [[mongosh, --eval, db.fsyncLock()]]")
	var commands [][]string
	var words []string
	for _, n := range items {
		if n.Kind != yaml.SequenceNode {
			words = append(words, p.scalarOf(n, "each word of "+f.of(key)))
			continue
		}
		var command []string
		for _, w := range n.Content {
			command = append(command, p.scalarOf(w, "each word of "+f.of(key)))
		}
		if len(command) == 0 {
			p.error(n, codeMissingKey, "write the command's words", "the command is empty")
		}
		commands = append(commands, command)
	}
	if len(words) > 0 && len(commands) > 0 {
		p.error(f.keys[key], codeBadCombination, "write one command, or a list", "%s mixes words and commands", f.of(key))
		return nil
	}
	if len(words) > 0 {
		return [][]string{words}
	}
	return commands
}

func (p *parser) mover(f *fieldset) (string, *sluice.Portworx) {
	v := f.get("mover")
	if v != nil && v.Kind == yaml.ScalarNode && strings.EqualFold(v.Value, portworx) {
		p.error(v, codeMissingKey, "write mover: {portworx: {clusterPair: …}}", "the mover portworx needs a clusterPair")
		return portworx, nil
	}
	if v == nil || v.Kind != yaml.MappingNode {
		return f.choice("mover", "auto"), nil
	}
	m, ok := f.inner("mover", "mover")
	if !ok || !m.need(portworx, "write mover: {portworx: {clusterPair: …}}, or a word") {
		return portworx, nil
	}
	settings, ok := m.inner(portworx, portworx)
	if !ok {
		return portworx, nil
	}
	return portworx, &sluice.Portworx{
		ClusterPair: settings.name("clusterPair", "name the ClusterPair"), Namespace: settings.text("namespace"),
	}
}

const portworx = "portworx"

func (p *parser) invariant(f *fieldset) sluice.Invariant {
	i := sluice.Invariant{Pos: p.at(f.node), Name: f.name("name", "say what must hold: name: no order is lost"),
		Count: f.text("count"), Sum: f.text("sum"), Field: f.text("field"),
		AtLeast: p.bound(f, "atLeast"), AtMost: p.bound(f, "atMost"), Equals: p.bound(f, "equals")}
	p.oneOf(f, "count", "sum")
	switch {
	case f.has("sum") && !f.has("field") && !f.has("count"):
		p.error(f.keys["sum"], codeMissingKey, "add field: with the field to add up", "a sum needs a field")
	case f.has("field") && !f.has("sum") && f.has("count"):
		p.error(f.keys["field"], codeBadCombination, "remove field:, or write sum: instead of count:", "a count has no field")
	}
	if !f.has("atLeast") && !f.has("atMost") && !f.has("equals") {
		p.error(f.node, codeMissingKey, "add atLeast:, atMost: or equals:, with a number or the word baseline",
			"the invariant has no bound")
	}
	return i
}

func (p *parser) bound(f *fieldset, key string) *sluice.Bound {
	f.table.key(key, formBound)
	v := f.get(key)
	if v == nil {
		return nil
	}
	if v.ShortTag() != "!!str" || v.Kind != yaml.ScalarNode {
		x := p.numberOf(v, f.of(key))
		if x == nil {
			return nil
		}
		return &sluice.Bound{Value: *x}
	}
	if !strings.EqualFold(v.Value, "baseline") {
		p.error(v, codeBadValue, "write a number or the word baseline", "%s is %s", f.of(key), quote(v.Value))
	}
	return &sluice.Bound{Baseline: true}
}
