package deployfile

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

// A fieldset is a map of the file whose keys are allowed. Its getters report a value of the wrong type and return a
// zero value; a null counts as absent.
type fieldset struct {
	p      *parser
	node   *yaml.Node
	table  *table
	what   string // for messages, such as "the target staging"
	keys   map[string]*yaml.Node
	values map[string]*yaml.Node
}

// fields reads a closed map. It reports whether n is a map at all.
func (p *parser) fields(n *yaml.Node, what string, t *table) (*fieldset, bool) {
	f := &fieldset{p: p, node: n, table: t, what: what, keys: map[string]*yaml.Node{}, values: map[string]*yaml.Node{}}
	if whole := p.loose(n, what, t); whole != nil {
		n, f.node = whole, whole
	}
	if n.Kind != yaml.MappingNode {
		known := t.names()
		hint := "write " + strings.Join(known[:min(3, len(known))], ":, ") + ": below it"
		if n.Kind == yaml.ScalarNode && len(known) == 1 {
			hint = "write {" + known[0] + ": " + clip(n.Value) + "}"
		}
		p.wrongType(n, what, "a map of keys and values", hint)
		return f, false
	}
	p.each(n, func(key, value *yaml.Node) {
		name := key.Value
		if _, known := t.find(name); !known {
			// The key that was meant is read, so that one slip is one finding.
			if name = p.unknownKey(key, what, t.names()); name == "" || yamldoc.Get(n, name) != nil || f.keys[name] != nil {
				return
			}
		}
		f.keys[name], f.values[name] = key, value
	})
	return f, true
}

// each calls do for every key of the map that is plain text, the first time that it is given.
func (p *parser) each(n *yaml.Node, do func(key, value *yaml.Node)) {
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			p.error(key, codeWrongType, "write plain text before the colon", "a key must be text, but this is %s", show(key))
			continue
		}
		if line, ok := first[key.Value]; ok {
			p.error(key, codeDuplicateKey, "remove one of them", "the key %s is repeated, first on line %d",
				clip(key.Value), line)
			continue
		}
		first[key.Value] = key.Line
		do(key, n.Content[i+1])
	}
}

// unknownKey reports the key and returns the known one that was meant, "" if that cannot be told.
func (p *parser) unknownKey(key *yaml.Node, what string, known []string) string {
	if len(p.ds) > maxFindings {
		return ""
	}
	if hint := advice(what, key.Value); hint != "" {
		p.error(key, codeMisplacedKey, hint, "%s does not take the key %s", what, key.Value)
		if m := renamed.FindStringSubmatch(hint); m != nil && slices.Contains(known, m[1]) {
			return m[1]
		}
		return ""
	}
	near := yamldoc.Nearest(key.Value, known)
	hint := "did you mean " + near + "?"
	if near == "" {
		hint = "known keys: " + strings.Join(known, ", ")
	}
	p.error(key, codeUnknownKey, hint, "unknown key %s in %s", clip(key.Value), what)
	return near
}

func (p *parser) wrongType(n *yaml.Node, what, want, hint string) {
	if tag := n.ShortTag(); n.Kind == yaml.ScalarNode && !strings.HasPrefix(tag, "!!") {
		p.error(n, codeBadValue, "put it in quotes: "+quote(strings.TrimSpace(tag+" "+n.Value)),
			"YAML reads %s as a tag, which means nothing here", clip(tag))
		return
	}
	if n.Kind == yaml.ScalarNode && gluedKey.MatchString(n.Value) {
		p.error(n, yamldoc.CodeMissingSpace, "put a space after the colon",
			"%s must be %s; without a space after the colon it is text", what, want)
		return
	}
	p.error(n, codeWrongType, hint, "%s must be %s, but this is %s", what, want, show(n))
}

func (f *fieldset) of(key string) string { return key + " of " + f.what }

// value returns the value of a key that the table has in one of the forms, as get does.
func (f *fieldset) value(key string, forms ...form) *yaml.Node {
	f.table.key(key, forms...)
	return f.get(key)
}

// get returns the value of a key, nil if it is absent or null.
func (f *fieldset) get(key string) *yaml.Node {
	if v := f.values[key]; v != nil && !yamldoc.IsNull(v) {
		return v
	}
	return nil
}

func (f *fieldset) has(key string) bool { return f.get(key) != nil }

// need reports a missing key and whether it is there.
func (f *fieldset) need(key, hint string) bool {
	if f.has(key) {
		return true
	}
	at := f.node
	if k := f.keys[key]; k != nil {
		at = k
	}
	if f.node.Kind == yaml.MappingNode || yamldoc.IsNull(f.node) {
		f.p.error(at, codeMissingKey, hint, "%s has no %s", f.what, key)
	}
	return false
}

// text returns plain text. Numbers and booleans are refused: YAML would change a text such as 1.10.
func (f *fieldset) text(key string) string {
	k, v := f.table.key(key, formText, formChoice), f.get(key)
	if v == nil {
		return ""
	}
	f.p.check(k.value, v, f.of(key))
	return f.p.textOf(v, f.of(key))
}

func (p *parser) textOf(n *yaml.Node, what string) string {
	if n.Kind == yaml.ScalarNode && (n.ShortTag() == "!!str" || n.ShortTag() == "!!timestamp") {
		return n.Value
	}
	p.wrongType(n, what, "text", quoteHint(n))
	return ""
}

func quoteHint(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode && !yamldoc.IsNull(n) {
		return "put it in quotes: " + quote(n.Value)
	}
	return "write one line of text after the colon"
}

// scalar returns any single value as it is written.
func (f *fieldset) scalar(key string) string {
	k, v := f.table.key(key, formScalar), f.get(key)
	if v == nil {
		return ""
	}
	f.p.check(k.value, v, f.of(key))
	return f.p.scalarOf(v, f.of(key))
}

func (p *parser) scalarOf(n *yaml.Node, what string) string {
	if n.Kind != yaml.ScalarNode {
		p.wrongType(n, what, "a single value", "write one value after the colon")
		return ""
	}
	return n.Value
}

// name returns a required text that names something.
func (f *fieldset) name(key, hint string) string {
	if !f.need(key, hint) {
		return ""
	}
	s := f.text(key)
	if placeholder.MatchString(s) {
		f.p.error(f.get(key), codePlaceholder, hint, "%s is still the placeholder %s", f.of(key), clip(s))
	}
	if s == "" && f.get(key).Kind == yaml.ScalarNode && f.get(key).ShortTag() == "!!str" {
		f.p.error(f.get(key), codeMissingKey, hint, "%s is empty", f.of(key))
	}
	return s
}

func (f *fieldset) bool(key string) bool {
	var b bool
	if v := f.value(key, formBool); v != nil && (v.ShortTag() != "!!bool" || v.Decode(&b) != nil) {
		f.p.wrongType(v, f.of(key), "true or false", "write true or false without quotes")
	}
	return b
}

// whole returns an integer within the bounds of its table, or absent if there is none.
func (f *fieldset) whole(key string, absent int) int {
	k := f.table.key(key, formWhole, formAmount)
	v := f.get(key)
	if v == nil {
		return absent
	}
	least, most := k.least, k.most
	if k.form == formAmount {
		least, most = 1, int(longest/time.Second)
	}
	var i int
	if v.ShortTag() != "!!int" || v.Decode(&i) != nil {
		f.p.wrongType(v, f.of(key), "a whole number", numberHint(v, fmt.Sprintf("a whole number from %d to %d", least, most)))
		return absent
	}
	if i < least || i > most {
		f.p.error(v, codeOutOfRange, fmt.Sprintf("write a number from %d to %d", least, most), "%s is %d", f.of(key), i)
		return absent
	}
	return i
}

// numberHint says what to write instead of a value that is no number, or not the right one.
func numberHint(n *yaml.Node, want string) string {
	if _, err := strconv.ParseFloat(n.Value, 64); err == nil && n.ShortTag() == "!!str" {
		return "write it without quotes: " + clip(n.Value)
	}
	return "write " + want
}

func (f *fieldset) number(key string) *float64 {
	if v := f.value(key, formNumber); v != nil {
		return f.p.numberOf(v, f.of(key))
	}
	return nil
}

func (p *parser) numberOf(n *yaml.Node, what string) *float64 {
	var x float64
	if tag := n.ShortTag(); tag != "!!int" && tag != "!!float" || n.Decode(&x) != nil {
		p.wrongType(n, what, "a number", numberHint(n, "a number such as 0.5"))
		return nil
	}
	if math.IsNaN(x) || math.IsInf(x, 0) {
		p.error(n, codeOutOfRange, "write a finite number, or remove the key", "%s is %s", what, clip(n.Value))
		return nil
	}
	return &x
}

// word is choice with the default of its table.
func (f *fieldset) word(key string) string {
	absent := f.table.key(key, formChoice).absent
	if absent == required {
		absent = ""
	}
	return f.choice(key, absent)
}

// choice returns one of the words of its table, whatever its letter case, or absent if there is none.
func (f *fieldset) choice(key, absent string) string {
	words := f.table.key(key, formChoice, formWordOrMap).words
	v := f.get(key)
	if v == nil {
		return absent
	}
	s := f.p.textOf(v, f.of(key))
	for _, w := range words {
		if strings.EqualFold(s, w) {
			return w
		}
	}
	if s != "" {
		f.p.error(v, codeBadValue, oneOf(s, words), "%s is %s", f.of(key), clip(s))
	}
	return absent
}

func oneOf(s string, words []string) string {
	if near := yamldoc.Nearest(s, words); near != "" {
		return "did you mean " + near + "?"
	}
	return "write one of: " + strings.Join(words, ", ")
}

// inner reads the map below a key. It reports whether there is one.
func (f *fieldset) inner(key, what string) (*fieldset, bool) {
	k := f.table.key(key, formMap, formWordOrMap)
	v := f.get(key)
	if v == nil {
		return nil, false
	}
	return f.p.fields(v, what, k.in)
}

// items returns the members of a list.
func (f *fieldset) items(key, hint string) []*yaml.Node {
	v := f.value(key, formList, formTexts, formSteps, formCommands)
	if v == nil {
		return nil
	}
	if v.Kind != yaml.SequenceNode {
		f.p.wrongType(v, f.of(key), "a list", hint)
		return nil
	}
	return v.Content
}

// maps returns the members of a list of maps, without those that are not maps.
func (f *fieldset) maps(key, what, hint string) (list []*fieldset) {
	in := f.table.key(key, formList).in
	for _, n := range f.p.listed(f.items(key, hint), in) {
		if m, ok := f.p.fields(n, what, in); ok {
			list = append(list, m)
		}
	}
	return list
}

func (f *fieldset) texts(key string) []string {
	var list []string
	for _, n := range f.items(key, "write it as a list: "+key+": ["+f.scalarOr(key, "…")+"]") {
		f.p.check(f.table.key(key, formTexts).value, n, "one of "+f.of(key))
		list = append(list, f.p.textOf(n, "each of "+f.of(key)))
	}
	return list
}

// someTexts returns a list that is required and has at least one member.
func (f *fieldset) someTexts(key, hint string) []string {
	list := f.texts(key)
	if f.need(key, hint) {
		f.notEmpty(key, hint)
	}
	return list
}

// notEmpty reports a list without members.
func (f *fieldset) notEmpty(key, hint string) {
	if v := f.get(key); v != nil && v.Kind == yaml.SequenceNode && len(v.Content) == 0 {
		f.p.error(f.keys[key], codeMissingKey, hint, "the list of %s is empty", key)
	}
}

// ignore warns of a key that has no meaning any more.
func (f *fieldset) ignore(key, hint string) {
	if f.has(key) {
		f.p.warn(f.keys[key], codeIgnoredKey, hint, "%s is ignored", key)
	}
}

func (f *fieldset) scalarOr(key, absent string) string {
	if v := f.get(key); v != nil && v.Kind == yaml.ScalarNode {
		return clip(v.Value)
	}
	return absent
}

func (f *fieldset) textMap(key string) map[string]string {
	v := f.value(key, formTextMap)
	if v == nil {
		return nil
	}
	if v.Kind != yaml.MappingNode {
		f.p.wrongType(v, f.of(key), "a map", "write each entry as name: value, without a dash before it")
		return nil
	}
	m := map[string]string{}
	f.p.each(v, func(k, value *yaml.Node) {
		m[k.Value] = f.p.scalarOf(value, clip(k.Value)+" in "+f.of(key))
	})
	return m
}

// variables returns the context, whose keys templates name.
func (f *fieldset) variables() map[string]string {
	m := f.textMap("context")
	if v := f.get("context"); v != nil && v.Kind == yaml.MappingNode {
		f.p.each(v, func(key, _ *yaml.Node) { f.p.checkKey(key) })
	}
	return m
}

// mostEntries bounds maps of names, so that checks that follow every name from every target stay quick.
const mostEntries = 500

// entries calls do for the members of a map of names, in the order of the file.
func (f *fieldset) entries(key, hint string, do func(name, value *yaml.Node)) {
	v := f.value(key, formNamed)
	if v == nil {
		return
	}
	if v.Kind != yaml.MappingNode {
		f.p.wrongType(v, f.of(key), "a map of names", hint)
		return
	}
	if len(v.Content)/2 > mostEntries {
		f.p.error(f.keys[key], codeOutOfRange, "split the deploy file", "%s has more than %d entries", key, mostEntries)
		return
	}
	f.p.each(v, func(name, value *yaml.Node) {
		f.p.checkName(name, "a name in "+key)
		if name.Value == "" {
			f.p.error(name, codeMissingKey, hint, "a name in %s is empty", key)
		}
		do(name, value)
	})
}

func fold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// show names a value for a message.
func show(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "empty"
	case "!!int", "!!float":
		return "the number " + clip(n.Value)
	case "!!bool":
		return "the boolean " + clip(n.Value)
	}
	return "the text " + quote(n.Value)
}

func clip(s string) string  { return yamldoc.Clip(s) }
func quote(s string) string { return yamldoc.Quote(s) }
