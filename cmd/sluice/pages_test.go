package main

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// root is the top of the repository.
const root = "../.."

// A page is one page for readers, in parts.
type page struct {
	path    string // below root
	links   []string
	anchors []string
	spans   []span
	blocks  []block
	prose   []prose
}

// A span is code within a line.
type span struct{ text, section string }

// A prose is a paragraph, a heading or a cell of a table, without its code.
type prose struct {
	text    string
	section string // the anchor of the heading above it
}

// A block is code on lines of its own, each of which is whole.
type block struct{ lines []string }

// mentions returns all code within lines.
func (p page) mentions() []string {
	var all []string
	for _, s := range p.spans {
		all = append(all, s.text)
	}
	return all
}

// code returns everything of the page that is written as code.
func (p page) code() []string {
	all := p.mentions()
	for _, b := range p.blocks {
		all = append(all, b.lines...)
	}
	return all
}

// pages reads the pages that the patterns match.
func pages(t *testing.T, patterns ...string) []page {
	t.Helper()
	var all []page
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("no page is %s: %v", pattern, err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			path, _ := filepath.Rel(root, file) // both are relative
			all = append(all, parsePage(path, source))
		}
	}
	return all
}

func parsePage(path string, source []byte) page {
	p := page{path: path}
	tree := goldmark.New(goldmark.WithExtensions(extension.Table)).Parser().Parse(text.NewReader(source))
	_ = ast.Walk(tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // the function returns no error
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Link:
			p.links = append(p.links, string(n.Destination))
		case *ast.Image:
			p.links = append(p.links, string(n.Destination))
		case *ast.CodeSpan:
			p.spans = append(p.spans, span{strings.ReplaceAll(written(n, source), "\n", " "), p.section()})
		case *ast.FencedCodeBlock:
			whole := strings.ReplaceAll(string(n.Lines().Value(source)), "\\\n", " ")
			p.blocks = append(p.blocks, block{strings.Split(whole, "\n")})
		case *ast.Heading:
			p.anchors = append(p.anchors, anchor(written(n, source), p.anchors))
		}
		if first := n.FirstChild(); first != nil && first.Type() == ast.TypeInline && n.Type() == ast.TypeBlock {
			p.prose = append(p.prose, prose{proseOf(n, source), p.section()})
		}
		return ast.WalkContinue, nil
	})
	return p
}

// section returns the anchor of the last heading that was read.
func (p page) section() string {
	if len(p.anchors) == 0 {
		return ""
	}
	return p.anchors[len(p.anchors)-1]
}

// written returns the text of a node and of all below it.
func written(n ast.Node, source []byte) string { return textOf(n, source, true) }

// proseOf returns the text of a node without its code.
func proseOf(n ast.Node, source []byte) string { return textOf(n, source, false) }

func textOf(n ast.Node, source []byte, code bool) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // the function returns no error
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.CodeSpan:
			if !code {
				return ast.WalkSkipChildren, nil
			}
		case *ast.Text:
			b.Write(n.Value(source))
			if n.SoftLineBreak() {
				b.WriteByte(' ')
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

var unlinked = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)

// anchor returns what GitHub calls a heading below the earlier ones.
func anchor(heading string, earlier []string) string {
	name := strings.ReplaceAll(unlinked.ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
	unique := name
	for i := 1; slices.Contains(earlier, unique); i++ {
		unique = name + "-" + strconv.Itoa(i)
	}
	return unique
}

// allPages are all pages of the repository.
var allPages = []string{"*.md", "docs/*.md", "design/*.md", "examples/*.md"}

// Every link to a file, a picture or a heading of the repository leads there.
func TestLinksLeadSomewhere(t *testing.T) {
	all := pages(t, allPages...)
	for _, p := range all {
		for _, link := range p.links {
			to, err := url.Parse(link)
			if err != nil {
				t.Errorf("%s: %s: %v", p.path, link, err)
				continue
			}
			if to.IsAbs() {
				continue
			}
			if problem := follow(all, p, to); problem != "" {
				t.Errorf("%s: the link %s leads nowhere: %s", p.path, link, problem)
			}
		}
	}
}

// follow says why a link of the page leads nowhere, "" if it does not.
func follow(all []page, from page, to *url.URL) string {
	path := from.path
	if to.Path != "" {
		path = filepath.Join(filepath.Dir(from.path), to.Path)
	}
	if _, err := os.Stat(filepath.Join(root, path)); err != nil {
		return err.Error()
	}
	if to.Fragment == "" {
		return ""
	}
	i := slices.IndexFunc(all, func(p page) bool { return p.path == path })
	if i < 0 || !slices.Contains(all[i].anchors, to.Fragment) {
		return path + " has no such heading"
	}
	return ""
}

var target = regexp.MustCompile(`(?m)^([a-z0-9-]+):`)

// Every target of make that a page names is in the Makefile.
func TestTargetsOfMakeExist(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, m := range target.FindAllStringSubmatch(string(makefile), -1) {
		targets = append(targets, m[1])
	}
	for _, p := range pages(t, allPages...) {
		for _, c := range commandLines(p.code(), "make") {
			for _, word := range c.args {
				if !strings.Contains(word, "=") && !slices.Contains(targets, word) {
					t.Errorf("%s: make has no target %q", p.path, word)
				}
			}
		}
	}
}
