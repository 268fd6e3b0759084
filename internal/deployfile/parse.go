package deployfile

import (
	"cmp"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

const maxFindings = 500

var limits = yamldoc.Limits{Bytes: 4 << 20, Nodes: 250_000, Depth: 100}

// Parse reads a deploy file. The spec is nil if and only if a finding is an error; warnings come beside a
// spec. Findings are in the order of the file.
func Parse(file string, data []byte) (*sluice.Spec, sluice.Diagnostics) {
	p := &parser{file: file, seen: map[sluice.Diagnostic]bool{}, spec: &sluice.Spec{}, broken: map[refKind]bool{}}
	roots, ds := read(file, data)
	p.ds = ds
	if len(roots) == 0 && ds.HasErrors() {
		return nil, ds
	}
	if root := p.only(roots); root != nil {
		p.quoteTemplates(root)
		p.document(root)
	}
	slices.SortStableFunc(p.ds, func(a, b sluice.Diagnostic) int {
		return cmp.Or(cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Column, b.Pos.Column))
	})
	if p.ds.HasErrors() {
		return nil, p.ds
	}
	return p.spec, p.ds
}

type parser struct {
	file   string
	spec   *sluice.Spec
	ds     sluice.Diagnostics
	seen   map[sluice.Diagnostic]bool
	refs   []reference
	pos    map[string]*yaml.Node // the names of targets
	broken map[refKind]bool      // the sections that could not be read, so that their names are not known
	// weight is the last one set in the canary that is being read.
	weight int
}

func (p *parser) only(roots []*yaml.Node) *yaml.Node {
	start := sluice.Position{File: p.file, Line: 1, Column: 1}
	if len(roots) == 0 {
		p.add(start, sluice.SeverityError, codeEmptyFile, "start with version: v1, kind: kubernetes and application: …", "the file is empty")
		return nil
	}
	if len(roots) > 1 {
		p.error(roots[1], codeSeveralDocuments, "put each deploy file into a file of its own", "a deploy file holds one YAML document, and here a second one starts")
	}
	return roots[0]
}

func (p *parser) add(pos sluice.Position, severity sluice.Severity, code, hint, message string) {
	d := sluice.Diagnostic{Pos: pos, Severity: severity, Code: code, Message: message, Hint: hint}
	// An alias or a strategy used twice leads to the same place twice.
	if p.seen[d] || len(p.ds) > maxFindings {
		return
	}
	p.seen[d] = true
	if len(p.ds) == maxFindings {
		d = sluice.Diagnostic{Pos: pos, Severity: sluice.SeverityError, Code: codeTooManyFindings,
			Message: fmt.Sprintf("there are more than %d findings", maxFindings), Hint: "correct those above first"}
	}
	p.ds = append(p.ds, d)
}

func (p *parser) error(n *yaml.Node, code, hint, format string, args ...any) {
	p.add(yamldoc.At(p.file, n), sluice.SeverityError, code, hint, fmt.Sprintf(format, args...))
}

func (p *parser) warn(n *yaml.Node, code, hint, format string, args ...any) {
	p.add(yamldoc.At(p.file, n), sluice.SeverityWarning, code, hint, fmt.Sprintf(format, args...))
}

func (p *parser) at(n *yaml.Node) sluice.Position { return yamldoc.At(p.file, n) }

func (p *parser) document(root *yaml.Node) {
	if p.refusedKind(root) {
		return
	}
	f, ok := p.fields(root, "the deploy file", keysRoot)
	if !ok {
		return
	}
	s := p.spec
	f.scalar("version")
	s.Application = f.name("application", "name what is delivered: application: shop")
	s.Description = f.text("description")
	s.Context = f.textMap("context")
	p.markBroken(f)
	s.Config = p.config(f)
	s.Datasets = p.datasets(f)
	s.Strategies = p.strategies(f)
	s.Analysis = p.analysisConfig(f)
	s.Webhooks = p.webhooks(f)
	s.Targets = p.targets(f)
	s.Manifests = p.manifests(f)
	s.Traffic = p.traffic(f)
	p.resolve()
	p.checkCycles()
	p.checkData()
}

// refusedKind reports a kind that is not delivered here. Nothing else in such a file is worth a finding.
func (p *parser) refusedKind(root *yaml.Node) bool {
	kind := find(root, "kind")
	if kind == nil || yamldoc.IsNull(kind) || fold(kind.Value) == "kubernetes" {
		return false
	}
	if fold(kind.Value) == "lambda" {
		p.error(kind, codeUnsupportedKind, "deliver functions with another tool; Sluice takes kind: kubernetes", "kind: lambda is not supported")
		return true
	}
	p.error(kind, codeUnsupportedKind, "write kind: kubernetes", "the kind %s is not known", clip(kind.Value))
	return true
}
