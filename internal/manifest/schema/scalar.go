package schema

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

// scalar checks one value, and if it has the right type, its rule.
func (c *checker) scalar(n *yaml.Node, s spot) {
	if n.Kind != yaml.ScalarNode {
		hint := "write one value"
		switch {
		case n.Kind == yaml.MappingNode && len(n.Content) > 0 && n.Content[0].Kind == yaml.MappingNode:
			hint = "if this is a template, render it first"
		case s.of == "string":
			hint = "write text; for several lines put | after the colon, and indent them"
		}
		c.wrongType(n, s, expected[s.of], hint)
		return
	}
	v, ok := c.decode(n, s)
	if ok && c.typed(n, v, s) {
		c.rule(n, v, s)
	}
}

// expected says in words what a type takes.
var expected = map[string]string{
	"string": "text", "boolean": "true or false", "int32": "a whole number", "int64": "a whole number",
	"double": "a number", "byte": "base64 text", "date-time": "a time", "int-or-string": "a whole number or text",
	"quantity": "a quantity",
}

// decode returns the value of a scalar, and reports what JSON cannot hold.
func (c *checker) decode(n *yaml.Node, s spot) (any, bool) {
	v, err := yamldoc.Value(n)
	if bad, ok := errors.AsType[*yamldoc.NodeError](err); ok {
		what := bad.Message
		if c.hidden {
			what = "the value cannot be read"
		}
		c.report(n, codeBadManifest, "correct the value, or put it in quotes", "%s: %s", s.name(), what)
		return nil, false
	}
	return v, true
}

// typed reports a value that has not the type that the spot takes.
func (c *checker) typed(n *yaml.Node, v any, s spot) bool {
	text, isText := v.(string)
	switch s.of {
	case "string", "date-time", "byte":
		if !isText {
			c.wrongType(n, s, expected[s.of], c.quoted(n))
			return false
		}
		return c.encoded(n, text, s)
	case "boolean":
		if _, ok := v.(bool); !ok {
			c.wrongType(n, s, expected[s.of], "write true or false, without quotes")
			return false
		}
	case "int32", "int64":
		return c.whole(n, v, s)
	case "double":
		if _, ok := number(v); !ok {
			c.wrongType(n, s, expected[s.of], "write a number, without quotes")
			return false
		}
	case "int-or-string":
		return isText || c.whole(n, v, s)
	case "quantity":
		return c.quantity(n, v, s)
	}
	return true
}

// quoted is the hint for a value that must be text.
func (c *checker) quoted(n *yaml.Node) string {
	if c.hidden {
		return "put the value in quotes"
	}
	return "write it as " + quote(n.Value)
}

// encoded reports text whose form is wrong.
func (c *checker) encoded(n *yaml.Node, text string, s spot) bool {
	switch s.of {
	case "byte":
		if _, err := base64.StdEncoding.DecodeString(text); err != nil {
			hint := "encode it with: base64 -w0"
			if s.field == "Secret.data" {
				hint = "write the plain value below stringData:, or encode it with: base64 -w0"
			}
			c.report(n, codeBadValue, hint, "%s is not base64", s.path)
			return false
		}
	case "date-time":
		if _, err := time.Parse(time.RFC3339, text); err != nil {
			c.report(n, codeBadValue, "write it like 2026-01-31T12:00:00Z", "%s is not a time: %s", s.path, c.shown(n))
			return false
		}
	}
	return true
}

// number returns a number of JSON.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

func (c *checker) whole(n *yaml.Node, v any, s spot) bool {
	f, ok := number(v)
	if !ok || f != math.Trunc(f) {
		hint := "write a whole number"
		if _, err := strconv.Atoi(n.Value); err == nil {
			hint = "write it without quotes: " + n.Value
		}
		c.wrongType(n, s, expected[s.of], hint)
		return false
	}
	most := float64(math.MaxInt32)
	if s.of == "int64" {
		most = math.MaxInt64
	}
	if math.Abs(f) > most {
		c.report(n, codeBadValue, "write a smaller number", "%s is too large: %s", s.path, c.shown(n))
		return false
	}
	return true
}

func (c *checker) quantity(n *yaml.Node, v any, s spot) bool {
	_, isNumber := number(v)
	if _, isText := v.(string); !isText && !isNumber {
		c.wrongType(n, s, expected[s.of], "write it like 500m, 2 or 1Gi")
		return false
	}
	q, err := resource.ParseQuantity(fmt.Sprint(v))
	if err != nil {
		c.report(n, codeBadValue, "write it like 500m, 2 or 1Gi", "%s is not a quantity: %s", s.path, c.shown(n))
		return false
	}
	if q.Sign() < 0 && (s.field == "ResourceRequirements.limits" || s.field == "ResourceRequirements.requests") {
		c.report(n, codeBadValue, "write it like 500m, 2 or 1Gi", "%s is negative: %s", s.path, c.shown(n))
		return false
	}
	return true
}

func (c *checker) wrongType(n *yaml.Node, s spot, want, hint string) {
	c.report(n, codeWrongType, hint, "%s must be %s, but %s", s.name(), want, c.describe(n))
}

// describe says what a value is, in words.
func (c *checker) describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "it is a map"
	case yaml.SequenceNode:
		return "it is a list"
	}
	v, _ := yamldoc.Value(n)
	what := "text"
	switch v.(type) {
	case bool:
		what = "a boolean"
	case int64, float64:
		what = "a number"
	}
	if c.hidden {
		return "it is " + what
	}
	return fmt.Sprintf("%s is %s", c.shown(n), what)
}

// shown returns the value as it is written, unless it is secret.
func (c *checker) shown(n *yaml.Node) string {
	if c.hidden {
		return "(hidden)"
	}
	if n.Style == 0 && n.Value != "" {
		return escape(n.Value)
	}
	return quote(n.Value)
}
