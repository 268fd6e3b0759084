package deployfile

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

const longest = 10 * 365 * 24 * time.Hour

var unitLength = map[string]time.Duration{"seconds": time.Second, "minutes": time.Minute, "hours": time.Hour}

// duration returns a time written as "10m" or as {duration: 10, unit: minutes}. If it is absent, duration returns the
// default of its table, or 0 if that is a word.
func (f *fieldset) duration(key string) time.Duration {
	absent, _ := time.ParseDuration(f.table.key(key, formDuration).absent)
	v := f.get(key)
	if v == nil {
		return absent
	}
	if v.Kind != yaml.MappingNode {
		d, ok := f.p.shortDuration(v, f.of(key))
		if !ok {
			return absent
		}
		return d
	}
	m, _ := f.p.fields(v, f.of(key), keysDuration)
	d, ok := m.measured("duration", "unit")
	if !ok {
		return absent
	}
	return d
}

// measured reads a number beside its unit, or a short duration without one.
func (f *fieldset) measured(number, unit string) (time.Duration, bool) {
	if !f.need(number, "write "+number+": 10 and "+unit+": minutes") {
		return 0, false
	}
	n := f.get(number)
	if n.ShortTag() != "!!int" && !f.has(unit) {
		return f.p.shortDuration(n, f.of(number))
	}
	if !f.has(unit) {
		f.p.error(f.keys[number], codeBadCombination, "add "+unit+": with seconds, minutes or hours",
			"%s has a number without a unit", f.what)
		return 0, false
	}
	count := f.whole(number, 0)
	word := f.word(unit)
	if count == 0 || word == "" {
		return 0, false
	}
	d := time.Duration(count) * unitLength[word]
	if d > longest || d/unitLength[word] != time.Duration(count) {
		f.p.error(n, codeOutOfRange, "write at most ten years", "%s is %d %s", f.of(number), count, word)
		return 0, false
	}
	return d, true
}

func (p *parser) shortDuration(n *yaml.Node, what string) (time.Duration, bool) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		hint := "write it like 10m, or as {duration: 10, unit: minutes}"
		if n.ShortTag() == "!!int" && n.Value != "0" {
			hint = fmt.Sprintf("write its unit: %ss, %sm or %sh", clip(n.Value), clip(n.Value), clip(n.Value))
		}
		p.error(n, codeBadDuration, hint, "%s must be a duration, but this is %s", what, show(n))
		return 0, false
	}
	d, err := time.ParseDuration(strings.ReplaceAll(n.Value, " ", ""))
	if err != nil {
		p.error(n, codeBadDuration, "write it like 30s or 1h30m", "%s is %s, which is not a duration", what, quote(n.Value))
		return 0, false
	}
	if d <= 0 || d > longest {
		p.error(n, codeOutOfRange, "write more than zero and at most ten years", "%s is %s", what, clip(n.Value))
		return 0, false
	}
	return d, true
}
