package yamldoc

import (
	"fmt"
	"math"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Value returns the value of a node from [Read] in the types of JSON: maps, slices, strings, bools, nil, and int64 or
// float64 for numbers. As in kubectl, a bare yes, no, on or off is a bool, and a date is text. A repeated key is an
// error.
func Value(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.MappingNode:
		return mapValue(n)
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, child := range n.Content {
			v, err := Value(child)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	}
	return scalar(n)
}

// A NodeError is a mistake in one node.
type NodeError struct {
	Node    *yaml.Node
	Message string
}

// Error returns the message.
func (e *NodeError) Error() string { return e.Message }

func mapValue(n *yaml.Node) (any, error) {
	m := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			return nil, &NodeError{key, "a key must be plain text; quote templates such as \"{{name}}\""}
		}
		if _, ok := m[key.Value]; ok {
			return nil, &NodeError{key, fmt.Sprintf("the key %q is repeated", key.Value)}
		}
		v, err := Value(n.Content[i+1])
		if err != nil {
			return nil, err
		}
		m[key.Value] = v
	}
	return m, nil
}

var oldBools = map[string][]string{
	"true":  {"yes", "Yes", "YES", "on", "On", "ON"},
	"false": {"no", "No", "NO", "off", "Off", "OFF"},
}

func scalar(n *yaml.Node) (any, error) {
	switch n.ShortTag() {
	case "!!str", "!!timestamp":
		return text(n), nil
	case "!!null":
		return nil, nil
	}
	var v any
	if err := n.Decode(&v); err != nil {
		return nil, &NodeError{n, fmt.Sprintf("%q is not a %s", n.Value, n.ShortTag())}
	}
	switch v := v.(type) {
	case int:
		return int64(v), nil
	case int64, bool, string:
		return v, nil
	case uint64:
		return float64(v), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, &NodeError{n, fmt.Sprintf("%s is not a number in JSON", n.Value)}
		}
		return v, nil
	}
	return nil, &NodeError{n, fmt.Sprintf("a value of type %s is not supported here", n.ShortTag())}
}

func text(n *yaml.Node) any {
	if n.Style != 0 {
		return n.Value
	}
	if slices.Contains(oldBools["true"], n.Value) {
		return true
	}
	if slices.Contains(oldBools["false"], n.Value) {
		return false
	}
	return n.Value
}
