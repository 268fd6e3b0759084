package present

import (
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
)

// GitHub writes the findings as commands of a GitHub workflow, which shows them at their lines.
func GitHub(w io.Writer, ds sluice.Diagnostics) error {
	for _, d := range ds {
		text := d.Message
		if d.Hint != "" {
			text += "\n" + d.Hint
		}
		var where string
		if d.Pos.IsValid() {
			file := property(filepath.ToSlash(d.Pos.File))
			where = fmt.Sprintf("file=%s,line=%d,col=%d,", file, d.Pos.Line, d.Pos.Column)
		}
		err := Printf(w, "::%s %stitle=%s::%s\n", d.Severity, where, property(d.Code), message(text))
		if err != nil {
			return err
		}
	}
	return nil
}

func message(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(Escape(text))
}

func property(text string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(message(text))
}

const homepage = "https://github.com/sluice-cd/sluice"

// An object is one object of a SARIF log.
type object = map[string]any

// SARIF writes the findings as a SARIF 2.1.0 log.
func SARIF(w io.Writer, ds sluice.Diagnostics) error {
	rules, codes, results := []object{}, []string{}, []object{}
	for _, d := range ds {
		if !slices.Contains(codes, d.Code) {
			codes = append(codes, d.Code)
			rules = append(rules, object{"id": d.Code, "helpUri": homepage + "/blob/main/docs/diagnostics.md"})
		}
		results = append(results, result(d, slices.Index(codes, d.Code)))
	}
	driver := object{"name": "sluice", "informationUri": homepage, "rules": rules}
	log, err := encode(object{
		"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
		"runs": []object{{"tool": object{"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}},
	})
	if err != nil {
		return err
	}
	return indent(w, log)
}

func result(d sluice.Diagnostic, rule int) object {
	text := d.Message
	if d.Hint != "" {
		text += ": " + d.Hint
	}
	r := object{"ruleId": d.Code, "ruleIndex": rule, "level": d.Severity, "message": object{"text": text}}
	if d.Pos.IsValid() {
		uri := url.URL{Path: filepath.ToSlash(d.Pos.File)}
		r["locations"] = []object{{"physicalLocation": object{
			"artifactLocation": object{"uri": uri.String()},
			"region":           object{"startLine": d.Pos.Line, "startColumn": max(d.Pos.Column, 1)},
		}}}
	}
	return r
}
