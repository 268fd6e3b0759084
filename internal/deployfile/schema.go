package deployfile

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Schema returns the JSON Schema (draft 2020-12) of deploy files, made from the tables that [Parse] uses. It accepts
// every file that Parse accepts. It also accepts files that Parse refuses for their meaning alone, such as an undefined
// name. The same version of Sluice always returns the same bytes.
func Schema() []byte { return schemaOf(keysRoot, "A deploy file of Sluice") }

// IncludedSchema is [Schema] for the files that include: names.
func IncludedSchema() []byte {
	return schemaOf(keysIncluded, "A file that deploy files of Sluice include")
}

type schema = map[string]any

func schemaOf(root *table, title string) []byte {
	b := &schemaBuilder{defs: schema{"duration": durationSchema()}}
	b.ref(keysDuration)
	s := b.object(root)
	s["$schema"], s["title"], s["$defs"] = "https://json-schema.org/draft/2020-12/schema", title, b.defs
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic("a schema can always be encoded: " + err.Error())
	}
	return append(data, '\n')
}

// A schemaBuilder collects the definitions that a schema refers to.
type schemaBuilder struct{ defs schema }

func refTo(name string) schema { return schema{"$ref": "#/$defs/" + name} }

func (b *schemaBuilder) ref(t *table) schema {
	if _, ok := b.defs[t.name]; !ok {
		b.defs[t.name] = nil // a table that leads to itself refers to this
		b.defs[t.name] = b.object(t)
	}
	return refTo(t.name)
}

func (b *schemaBuilder) object(t *table) schema {
	properties, needed := schema{}, []string{}
	for _, k := range t.keys {
		s := b.value(k)
		if k.absent != required {
			s = orNull(s)
		} else {
			needed = append(needed, k.name)
		}
		s["description"] = k.about + "."
		if k.absent != "" && k.absent != required {
			s["description"] = k.about + ". Default: " + k.absent + "."
		}
		properties[k.name] = s
	}
	s := schema{"type": "object", "properties": properties, "additionalProperties": false}
	if len(needed) > 0 {
		s["required"] = needed
	}
	var choices []schema
	for _, name := range t.one {
		choices = append(choices, schema{"required": []string{name}})
	}
	if choices != nil {
		s["anyOf"] = choices
	}
	return s
}

// orNull allows a key without a value, which counts as absent.
func orNull(s schema) schema {
	if word, ok := s["type"].(string); ok && s["anyOf"] == nil && s["enum"] == nil {
		s["type"] = []string{word, "null"}
		return s
	}
	if all, ok := s["anyOf"].([]schema); ok {
		s["anyOf"] = append(all, schema{"type": "null"})
		return s
	}
	if s["$ref"] != nil {
		return schema{"anyOf": []schema{s, {"type": "null"}}}
	}
	return s
}

var anyScalar = []string{"string", "number", "boolean"}

func (b *schemaBuilder) value(k key) schema {
	switch k.form {
	case formScalar:
		return schema{"anyOf": []schema{{"type": anyScalar}}}
	case formBool:
		return schema{"type": "boolean"}
	case formWhole:
		return schema{"type": "integer", "minimum": k.least, "maximum": k.most}
	case formNumber:
		return schema{"type": "number"}
	case formAmount:
		return schema{"anyOf": []schema{{"type": "integer", "minimum": 1}, durationText()}}
	case formTolerance:
		percent := schema{"type": "string", "pattern": percentage.String()}
		return schema{"anyOf": []schema{{"type": "integer", "minimum": 0, "maximum": mostPods}, percent}}
	case formDuration:
		return refTo("duration")
	case formChoice:
		return wordSchema(k.words)
	case formTextMap:
		return schema{"type": "object", "additionalProperties": schema{"type": append(slices.Clone(anyScalar), "null")}}
	case formBound:
		return schema{"anyOf": append([]schema{{"type": "number"}}, wordSchema([]string{"baseline"})["anyOf"].([]schema)...)}
	}
	return b.structured(k)
}

func (b *schemaBuilder) structured(k key) schema {
	switch k.form {
	case formTexts:
		return arrayOf(textSchema(k))
	case formMap:
		return b.ref(k.in)
	case formList:
		return arrayOf(b.ref(k.in))
	case formNamed:
		return schema{"type": "object", "additionalProperties": b.ref(k.in)}
	case formSteps:
		return b.steps(*k.at)
	case formCommands:
		word := schema{"type": append(slices.Clone(anyScalar), "null")}
		return schema{"anyOf": []schema{arrayOf(word), arrayOf(arrayOf(word))}}
	case formWordOrMap:
		return schema{"anyOf": append(wordSchema(k.words)["anyOf"].([]schema), b.ref(k.in))}
	}
	return textSchema(k)
}

// textSchema describes a text, which may be empty even if its key takes a name.
func textSchema(k key) schema {
	if k.rule == nil || k.rule.form == nil {
		return schema{"type": "string"}
	}
	form := strings.TrimSuffix(strings.TrimPrefix(k.rule.form.String(), "^"), "$")
	return schema{"type": "string", "maxLength": k.rule.longest, "pattern": "^(" + form + ")?$"}
}

func arrayOf(s schema) schema { return schema{"type": "array", "items": s} }

// steps describes a list of steps of a place: each a map with its kind as a key, and a name if it has one.
func (b *schemaBuilder) steps(p place) schema {
	if _, ok := b.defs[p.name]; ok {
		return refTo(p.name)
	}
	kinds := schema{}
	for _, kind := range p.kinds {
		if t := stepKeys[kind]; t != nil {
			kinds[string(kind)] = b.ref(t)
		}
	}
	inside := kinds
	if _, weights := kinds["setWeight"]; weights {
		inside = schema{}
		for _, kind := range p.sequence().kinds {
			if s, ok := kinds[string(kind)]; ok {
				inside[string(kind)] = s
			}
		}
	}
	sequence := p.name + "InSequence"
	inside["sequence"], kinds["sequence"] = refTo(sequence), refTo(sequence)
	b.defs[sequence] = schema{"type": "array", "minItems": 1, "items": b.step(inside)}
	b.defs[p.name] = arrayOf(b.step(kinds))
	return refTo(p.name)
}

func (b *schemaBuilder) step(kinds schema) schema {
	properties := maps.Clone(kinds)
	properties[nameKey.name] = orNull(b.value(nameKey))
	return schema{"type": "object", "properties": properties, "additionalProperties": false,
		"if":   schema{"required": []string{nameKey.name}},
		"then": keyCount(2), "else": keyCount(1)}
}

func keyCount(n int) schema { return schema{"minProperties": n, "maxProperties": n} }

// wordSchema offers the words as they are best written, and accepts them in any letter case.
func wordSchema(words []string) schema {
	patterns := make([]string, len(words))
	for i, w := range words {
		patterns[i] = anyCase(w)
	}
	pattern := "^(" + strings.Join(patterns, "|") + ")$"
	return schema{"anyOf": []schema{{"enum": words}, {"type": "string", "pattern": pattern}}}
}

func anyCase(word string) string {
	var b strings.Builder
	for _, r := range word {
		b.WriteString("[" + strings.ToUpper(string(r)) + strings.ToLower(string(r)) + "]")
	}
	return b.String()
}

func durationText() schema {
	return schema{"type": "string", "pattern": "^[ +]*([0-9. ]+(ns|us|µs|μs|ms|s|m|h) *)+$",
		"examples": []string{"30s", "10m", "1h30m"}}
}

func durationSchema() schema {
	return schema{"anyOf": []schema{durationText(), refTo(keysDuration.name)}}
}
