package sluice_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice"
)

func TestFindingsInOrder(t *testing.T) {
	at := func(file string, line, column int, message string) sluice.Diagnostic {
		return sluice.Diagnostic{Pos: sluice.Position{File: file, Line: line, Column: column}, Message: message}
	}
	ds := sluice.Diagnostics{
		at("b.yaml", 1, 1, ""), at("m.yaml", 2, 1, "second"), at("a.yaml", 9, 1, ""), at("m.yaml", 2, 1, "third"),
		at("m.yaml", 1, 7, "first"), at("b.yaml", 1, 1, ""), {Message: "about no file"}, at("m.yaml", 2, 1, "second"),
	}
	want := sluice.Diagnostics{
		{Message: "about no file"}, at("m.yaml", 1, 7, "first"), at("m.yaml", 2, 1, "second"), at("m.yaml", 2, 1, "third"),
		at("a.yaml", 9, 1, ""), at("b.yaml", 1, 1, ""),
	}
	if diff := cmp.Diff(want, ds.InOrder("m.yaml")); diff != "" {
		t.Error(diff)
	}
}
