package mongodb

import (
	"cmp"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

const (
	maxPaths = 1000 // per collection; the first by name are kept, whatever the order of reading
	maxDepth = 8
)

// A schema collects the types of the values at each path. Elements of an array are at path[].
type schema struct {
	root  node
	nodes int
}

type node struct {
	types uint32
	inner map[string]*node
}

func (s *schema) add(document []byte) error {
	if err := s.visit(&s.root, document, false, 0); err != nil {
		return err
	}
	if s.nodes > 2*maxPaths {
		s.prune()
	}
	return nil
}

func (s *schema) visit(at *node, document []byte, array bool, depth int) error {
	return walk(document, func(_ bsoncore.Element, name []byte, value bsoncore.Value) error {
		if array {
			name = []byte("[]")
		}
		child, ok := at.inner[string(name)]
		if !ok {
			child = s.grow(at, string(name))
		}
		child.types |= 1 << typeBit(bson.Type(value.Type))
		if document, ok := inner(value); ok && depth+1 < maxDepth {
			return s.visit(child, document, value.Type == bsoncore.TypeArray, depth+1)
		}
		return nil
	})
}

func (s *schema) grow(at *node, name string) *node {
	if at.inner == nil {
		at.inner = map[string]*node{}
	}
	child := &node{}
	at.inner[name] = child
	s.nodes++
	return child
}

func (s *schema) merge(other *schema) {
	s.mergeNode(&s.root, &other.root)
	if s.nodes > 2*maxPaths {
		s.prune()
	}
}

func (s *schema) mergeNode(into, from *node) {
	into.types |= from.types
	for name, child := range from.inner {
		target, ok := into.inner[name]
		if !ok {
			target = s.grow(into, name)
		}
		s.mergeNode(target, child)
	}
}

// prune keeps the first paths by name. A path never sorts before its parent, so no path loses its parent.
func (s *schema) prune() {
	type place struct {
		path   string
		parent *node
		name   string
	}
	var places []place
	s.each(func(path string, parent *node, name string) { places = append(places, place{path, parent, name}) })
	slices.SortFunc(places, func(a, b place) int { return cmp.Compare(a.path, b.path) })
	for _, p := range places[min(len(places), maxPaths):] {
		delete(p.parent.inner, p.name)
		s.nodes--
	}
}

func (s *schema) each(visit func(path string, parent *node, name string)) {
	var descend func(prefix string, at *node)
	descend = func(prefix string, at *node) {
		for name, child := range at.inner {
			path := join(prefix, name)
			visit(path, at, name)
			descend(path, child)
		}
	}
	descend("", &s.root)
}

func join(prefix, name string) string {
	if prefix == "" || name == "[]" {
		return prefix + name
	}
	return prefix + "." + name
}

// types returns each path's types, sorted and separated by commas.
func (s *schema) types() map[string]string {
	s.prune()
	types := map[string]string{}
	s.each(func(path string, parent *node, name string) { types[path] = typeNames(parent.inner[name].types) })
	return types
}

// aliases are MongoDB's names of the types, by their code. minKey and maxKey, whose codes are far away, are at the end.
var aliases = []string{
	"", "double", "string", "object", "array", "binData", "undefined", "objectId", "bool", "date", "null", "regex",
	"dbPointer", "javascript", "symbol", "javascriptWithScope", "int", "timestamp", "long", "decimal", "minKey", "maxKey",
}

func typeBit(t bson.Type) int {
	switch t {
	case bson.TypeMinKey:
		return len(aliases) - 2
	case bson.TypeMaxKey:
		return len(aliases) - 1
	}
	return int(t) % len(aliases)
}

func typeNames(bits uint32) string {
	var names []string
	for i, name := range aliases {
		if bits&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}
