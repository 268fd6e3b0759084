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
			where = fmt.Sprintf("file=%s,line=%d,col=%d,", property(filepath.ToSlash(d.Pos.File)), d.Pos.Line, d.Pos.Column)
		}
		if _, err := fmt.Fprintf(w, "::%s %stitle=%s::%s\n", d.Severity, where, property(d.Code), message(text)); err != nil {
			return err
		}
	}
	return nil
}

func message(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(text)
}

func property(text string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(message(text))
}

// The parts of a SARIF 2.1.0 log that findings need.
type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool       sarifTool     `json:"tool"`
	ColumnKind string        `json:"columnKind"`
	Results    []sarifResult `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	URI     string      `json:"informationUri"`
	Version string      `json:"version,omitempty"`
	Rules   []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID      string `json:"id"`
	HelpURI string `json:"helpUri"`
}

type sarifResult struct {
	RuleID    string          `json:"ruleId"`
	RuleIndex int             `json:"ruleIndex"`
	Level     string          `json:"level"`
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations,omitempty"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifLocation struct {
	Physical sarifPhysical `json:"physicalLocation"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   sarifRegion   `json:"region"`
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

type sarifRegion struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn"`
}

const homepage = "https://github.com/sluice-cd/sluice"

// SARIF writes the findings as a SARIF 2.1.0 log.
func SARIF(w io.Writer, ds sluice.Diagnostics) error {
	driver := sarifDriver{Name: "sluice", URI: homepage, Rules: []sarifRule{}}
	results := []sarifResult{}
	for _, d := range ds {
		rule := slices.IndexFunc(driver.Rules, func(r sarifRule) bool { return r.ID == d.Code })
		if rule < 0 {
			rule = len(driver.Rules)
			driver.Rules = append(driver.Rules, sarifRule{ID: d.Code, HelpURI: homepage + "/blob/main/docs/diagnostics.md"})
		}
		results = append(results, result(d, rule))
	}
	run := sarifRun{Tool: sarifTool{Driver: driver}, ColumnKind: "unicodeCodePoints", Results: results}
	return JSON(w, sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}

func result(d sluice.Diagnostic, rule int) sarifResult {
	text := d.Message
	if d.Hint != "" {
		text += ": " + d.Hint
	}
	r := sarifResult{RuleID: d.Code, RuleIndex: rule, Level: string(d.Severity), Message: sarifText{text}}
	if d.Pos.IsValid() {
		uri := url.URL{Path: filepath.ToSlash(d.Pos.File)}
		r.Locations = []sarifLocation{{sarifPhysical{sarifArtifact{uri.String()}, sarifRegion{d.Pos.Line, max(d.Pos.Column, 1)}}}}
	}
	return r
}
