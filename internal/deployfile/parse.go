package deployfile

import (
	"fmt"
	"io/fs"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

const maxFindings = 500

var limits = yamldoc.Limits{Bytes: 4 << 20, Nodes: 250_000, Depth: 100}

// Options are what reading depends on besides the text.
type Options struct {
	Application string // replaces the file's application, which may then be absent
	Strict      bool   // warnings are errors
	Files       fs.FS  // the deploy file's directory, for include:; nil refuses includes
	// Read is told each file that is included. Nil: nobody is.
	Read func(name string, content []byte)
}

// Parse reads a deploy file that includes no other files. The spec is nil if and only if a finding is an error.
// Findings are in the order of the file.
func Parse(file string, data []byte) (*sluice.Spec, sluice.Diagnostics) {
	return ParseWith(file, data, Options{})
}

// ParseWith is [Parse] with options. Findings of included files come after those of the deploy file, by the names
// of the files. Their positions name each file relative to the directory that file is relative to.
func ParseWith(file string, data []byte, o Options) (*sluice.Spec, sluice.Diagnostics) {
	p := read(file, data, o)
	if p.ds.HasErrors() {
		return nil, p.ds
	}
	return p.spec, p.ds
}

// Manifests returns the manifests that a deploy file with mistakes names, as far as they can be read.
func Manifests(file string, data []byte, o Options) []sluice.ManifestSource {
	return read(file, data, o).spec.Manifests
}

func read(file string, data []byte, o Options) *parser {
	p := &parser{file: file, application: o.Application, seen: map[sluice.Diagnostic]bool{},
		spec: &sluice.Spec{}, broken: map[refKind]bool{}}
	p.inclusion = inclusion{files: o.Files, dir: filepath.Dir(file), way: []string{filepath.Base(file)},
		done: map[string]bool{}, bytes: len(data), told: o.Read}
	p.text(data)
	p.ds = p.ds.InOrder(file)
	if o.Strict {
		for i := range p.ds {
			p.ds[i].Severity = sluice.SeverityError
		}
	}
	return p
}

func (p *parser) text(data []byte) {
	p.data, p.lines = data, nil
	roots, ds := yamldoc.ReadOn(p.file, data, limits)
	p.ds = ds
	if len(roots) == 0 && ds.HasErrors() {
		return
	}
	if len(roots) > 0 && p.refuseStranger(roots[0]) {
		return
	}
	if root := p.only(roots, "start with version: v1, kind: kubernetes and application: …"); root != nil {
		p.quoteTemplates(root)
		p.document(root)
	}
}

type parser struct {
	file   string   // the file that is being read
	data   []byte   // of that file
	lines  []string // of data; nil: not needed so far
	spec   *sluice.Spec
	ds     sluice.Diagnostics
	seen   map[sluice.Diagnostic]bool
	refs   []reference
	pos    map[string]*yaml.Node // the names of targets
	broken map[refKind]bool      // sections that could not be read, so that their names are not known
	weight int                   // the last one set in the canary that is being read

	application string          // given by the caller
	provider    sluice.Position // where the default metric provider is named
	inclusion   inclusion
}

func (p *parser) only(roots []*yaml.Node, ifEmpty string) *yaml.Node {
	start := sluice.Position{File: p.file, Line: 1, Column: 1}
	if len(roots) == 0 {
		p.errorAt(start, codeEmptyFile, ifEmpty, "the file is empty")
		return nil
	}
	if len(roots) > 1 {
		p.error(roots[1], codeSeveralDocuments, "put each document into its own file",
			"a deploy file holds one YAML document; a second one starts here")
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
			Message: fmt.Sprintf("there are more than %d findings", maxFindings), Hint: "correct the findings above first"}
	}
	p.ds = append(p.ds, d)
}

func (p *parser) error(n *yaml.Node, code, hint, format string, args ...any) {
	p.errorAt(yamldoc.At(p.file, n), code, hint, format, args...)
}

func (p *parser) errorAt(pos sluice.Position, code, hint, format string, args ...any) {
	p.add(pos, sluice.SeverityError, code, hint, fmt.Sprintf(format, args...))
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
	s.Application = p.applicationName(f)
	s.Description = f.text("description")
	s.Context = f.variables()
	p.markBroken(f)
	s.Config = p.config(f)
	p.blocks(f)
	s.Targets = p.targets(f)
	p.include(f)
	s.Manifests = p.manifests(f)
	p.resolve()
	p.checkCycles()
	p.checkData()
}

func (p *parser) applicationName(f *fieldset) string {
	if p.application == "" {
		return f.name("application", "name what is delivered: application: shop")
	}
	f.text("application")
	return p.application
}

// refusedKind reports a kind that Sluice does not deliver. Other findings in such a file would not help.
func (p *parser) refusedKind(root *yaml.Node) bool {
	kind := yamldoc.Get(root, "kind")
	if kind == nil || yamldoc.IsNull(kind) || fold(kind.Value) == "kubernetes" {
		return false
	}
	if fold(kind.Value) == "lambda" {
		p.error(kind, codeUnsupportedKind, "deliver functions with another tool; Sluice supports kind: kubernetes",
			"kind: lambda is not supported")
		return true
	}
	p.error(kind, codeUnsupportedKind, "write kind: kubernetes", "unknown kind %s", clip(kind.Value))
	return true
}
