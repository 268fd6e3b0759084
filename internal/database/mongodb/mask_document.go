package mongodb

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mask"
)

// named bounds how many fields an error names.
const named = 10

// A redactor rewrites the documents of one collection. It is for one goroutine.
type redactor struct {
	masker     mask.Masker
	rules      map[string]string // by path
	matched    map[string]bool   // the rules that met a field
	undeclared map[string]bool   // paths without a rule
	misfits    map[string]bool   // paths whose rule does not suit a type, with what to write
	documents  int64
}

// fresh returns a redactor with the same rules that has seen nothing yet.
func (r redactor) fresh() redactor {
	return redactor{masker: r.masker, rules: r.rules, matched: map[string]bool{}, undeclared: map[string]bool{},
		misfits: map[string]bool{}}
}

func (r *redactor) merge(other redactor) {
	maps.Copy(r.matched, other.matched)
	maps.Copy(r.undeclared, other.undeclared)
	maps.Copy(r.misfits, other.misfits)
	r.documents += other.documents
}

// spoiled reports whether a document must not be used.
func (r *redactor) spoiled() bool { return len(r.undeclared)+len(r.misfits) > 0 }

// mistakes returns an error that names the mistakes in the rules for the collection. It shows no values.
func (r *redactor) mistakes(collection string) error {
	if len(r.undeclared) > 0 {
		return sluice.Errorf(sluice.Failed, "%s is masked without a rule for %s", collection, list(collection, r.undeclared)).
			WithHint("give each of them a rule in maskData: %s; keep leaves a field as it is", strings.Join(mask.Rules(), ", "))
	}
	if len(r.misfits) > 0 {
		return sluice.Errorf(sluice.Failed, "a rule does not fit the type of a field: %s", list(collection, r.misfits)).
			WithHint("write another rule for it: %s", strings.Join(mask.Rules(), ", "))
	}
	idle := map[string]bool{}
	for path := range r.rules {
		if !r.matched[path] {
			idle[path] = true
		}
	}
	if len(idle) > 0 {
		return sluice.Errorf(sluice.Failed, "maskData has a rule for %s, but no document has it", list(collection, idle)).
			WithHint("correct or remove the rule: a misspelt name masks nothing")
	}
	return nil
}

func list(collection string, paths map[string]bool) string {
	all := slices.Sorted(maps.Keys(paths))
	for i := range all {
		all[i] = collection + "." + all[i]
	}
	if len(all) > named {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:named], ", "), len(all)-named)
	}
	return strings.Join(all, ", ")
}

// note keeps a path, up to a bound.
func note(paths map[string]bool, path string) {
	if len(paths) < maxPaths {
		paths[path] = true
	}
}

// redact appends the masked document. The key stays.
func (r *redactor) redact(dst, document []byte) ([]byte, error) {
	return r.inner(dst, document, place{})
}

// A place is the current position: the path, the rule that applies to everything in it, and whether it is in an array.
type place struct {
	path  string
	rule  string
	array bool
}

func (r *redactor) inner(dst, document []byte, in place) ([]byte, error) {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	err := walk(document, func(element bsoncore.Element, name []byte, value bsoncore.Value) error {
		if in.path == "" && string(name) == "_id" {
			dst = append(dst, element...)
			return nil
		}
		at := r.step(in, string(name))
		if at.rule == mask.Keep {
			dst = append(dst, element...)
			return nil
		}
		dst = append(dst, element[:len(element)-len(value.Data)]...)
		if data, ok := inner(value); ok {
			at.array = value.Type == bsoncore.TypeArray
			var err error
			dst, err = r.inner(dst, data, at)
			return err
		}
		dst = r.value(dst, value, at)
		return nil
	})
	return finish(dst, start), err
}

// step enters a field or an element of an array, which has no name of its own.
func (r *redactor) step(in place, name string) place {
	if in.array {
		return place{path: in.path, rule: in.rule}
	}
	at := place{path: join(in.path, name), rule: in.rule}
	if rule, ok := r.rules[at.path]; ok {
		at.rule, r.matched[at.path] = rule, true
	}
	return at
}

// value appends a value that is neither a document nor an array. Values without information, such as null, stay.
func (r *redactor) value(dst []byte, value bsoncore.Value, at place) []byte {
	if at.rule == "" {
		note(r.undeclared, at.path)
		return append(dst, value.Data...)
	}
	switch value.Type {
	case bsoncore.TypeNull, bsoncore.TypeUndefined, bsoncore.TypeMinKey, bsoncore.TypeMaxKey:
		return append(dst, value.Data...)
	}
	masked, ok := maskValue(r.masker, at.rule, value)
	if !ok {
		note(r.misfits, fmt.Sprintf("%s (%s does not fit %s)", at.path, at.rule, typeNames(1<<typeBit(bsonType(value)))))
		return append(dst, value.Data...)
	}
	return append(dst, masked...)
}
