package deployfile

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
	"github.com/sluice-cd/sluice/internal/regular"
)

// Bounds of what a deploy file may include.
const (
	mostIncluded  = 50
	deepestNested = 8
)

// An inclusion follows include: from file to file. Names are relative to the deploy file's directory.
type inclusion struct {
	files fs.FS
	dir   string          // of the deploy file; the other names are relative to it
	way   []string        // from the deploy file to the file that is being read
	done  map[string]bool // files that were read; including one again changes nothing
	bytes int
	told  func(name string, content []byte) // nil: nobody is told
}

// include reads the files that the map names and adds what they define to the spec.
func (p *parser) include(f *fieldset) {
	for _, n := range f.items("include", "write it as a list: include: ["+f.scalarOr("include", "shared.yaml")+"]") {
		name, ok := p.mayInclude(n, p.textOf(n, "each of "+f.of("include")))
		if !ok {
			p.nothingKnown()
			continue
		}
		p.includeFile(n, name)
	}
}

// nothingKnown suppresses findings about undefined names, which the file that was not read may define.
func (p *parser) nothingKnown() {
	for _, kind := range []refKind{refStrategy, refWebhook, refQuery, refDataset} {
		p.broken[kind] = true
	}
}

// mayInclude returns the name relative to the deploy file's directory, or reports why it must not be included.
func (p *parser) mayInclude(n *yaml.Node, written string) (string, bool) {
	in := &p.inclusion
	name := path.Join(path.Dir(in.way[len(in.way)-1]), filepath.ToSlash(written))
	switch {
	case written == "":
		p.error(n, codeMissingKey, "name the file", "the name of the included file is missing")
	case in.files == nil:
		p.error(n, codeIncludeUnreadable, "copy its content into this file", "other files cannot be included here")
	case path.IsAbs(written) || filepath.IsAbs(written) || !filepath.IsLocal(name) || !fs.ValidPath(name):
		p.error(n, codeIncludeOutside, "move the file below the deploy file's directory",
			"%s is outside the deploy file's directory", clip(written))
	case slices.Contains(in.way, name):
		way := append(slices.Clone(in.way[slices.Index(in.way, name):]), name)
		p.error(n, codeIncludeCycle, "remove one of these from its include:", "files include each other in a circle: %s",
			strings.Join(way, " → "))
	case len(in.way) > deepestNested:
		p.error(n, codeIncludeBounds, "nest less deeply", "includes are nested more than %d deep", deepestNested)
	case len(in.done) >= mostIncluded && !in.done[name]:
		p.error(n, codeIncludeBounds, "combine some of them", "more than %d files are included", mostIncluded)
	default:
		return name, true
	}
	return "", false
}

func (p *parser) includeFile(n *yaml.Node, name string) {
	in := &p.inclusion
	if in.done[name] {
		return
	}
	in.done[name] = true
	data, err := in.read(name)
	if err != nil {
		p.unreadable(n, name, err)
		return
	}
	beforeFile, beforeData := p.file, p.data
	p.data, p.lines = data, nil
	p.file = filepath.Join(in.dir, filepath.FromSlash(name))
	in.way = append(in.way, name)
	p.includedText(data)
	in.way = in.way[:len(in.way)-1]
	p.file, p.data, p.lines = beforeFile, beforeData, nil
}

func (in *inclusion) read(name string) ([]byte, error) {
	stat := func(name string) (fs.FileInfo, error) { return fs.Stat(in.files, name) }
	data, err := regular.Read(stat, in.files.Open, name, int64(limits.Bytes-in.bytes))
	in.bytes += len(data)
	if err == nil && in.told != nil {
		in.told(name, data)
	}
	return data, err
}

func (p *parser) unreadable(n *yaml.Node, name string, err error) {
	p.nothingKnown()
	switch {
	case errors.Is(err, regular.ErrTooLarge):
		p.error(n, codeIncludeBounds, "include less", "the included files together are larger than %d MiB", limits.Bytes>>20)
	case errors.Is(err, fs.ErrNotExist):
		p.error(n, codeIncludeUnreadable, p.nearFile(name), "there is no file %s", clip(name))
	case strings.Contains(err.Error(), "path escapes"):
		p.error(n, codeIncludeOutside, "copy the file instead of linking to it",
			"%s leads outside the deploy file's directory through a symbolic link", clip(name))
	default:
		cause := err.Error()
		if pe, ok := errors.AsType[*fs.PathError](err); ok {
			cause = pe.Err.Error()
		}
		p.error(n, codeIncludeUnreadable, "make it a readable file", "%s cannot be read: %s", clip(name), cause)
	}
}

func (p *parser) nearFile(name string) string {
	var names []string
	if entries, err := fs.ReadDir(p.inclusion.files, path.Dir(name)); err == nil {
		for _, e := range entries {
			names = append(names, e.Name())
		}
	}
	if near := yamldoc.Nearest(path.Base(name), names); near != "" {
		return "did you mean " + path.Join(path.Dir(name), near) + "?"
	}
	return "create it, or correct the path, which is relative to the file that includes it"
}

func (p *parser) includedText(data []byte) {
	roots, ds := yamldoc.ReadOn(p.file, data, limits)
	p.ds = append(p.ds, ds...)
	if len(roots) == 0 && ds.HasErrors() {
		p.nothingKnown()
		return
	}
	if len(roots) > 0 && p.refuseStranger(roots[0]) {
		p.nothingKnown()
		return
	}
	root := p.only(roots, "write "+strings.Join(keysIncluded.names(), ":, ")+": into it, or do not include it")
	if root == nil {
		return
	}
	p.quoteTemplates(root)
	f, ok := p.fields(root, "the included file", keysIncluded)
	if !ok {
		p.nothingKnown()
		return
	}
	p.markBroken(f)
	p.blocks(f)
	p.include(f)
}

// blocks reads what both a deploy file and an included file may define.
func (p *parser) blocks(f *fieldset) {
	s := p.spec
	s.Datasets = merge(p, "datasets", s.Datasets, p.datasets(f), func(d sluice.Dataset) sluice.Position { return d.Pos })
	s.Strategies = merge(p, "strategies", s.Strategies, p.strategies(f),
		func(t sluice.Strategy) sluice.Position { return t.Pos })
	s.Webhooks = merge(p, "webhooks", s.Webhooks, p.webhooks(f), func(w sluice.Webhook) sluice.Position { return w.Pos })
	s.Traffic = append(s.Traffic, p.traffic(f)...)
	analysis := p.analysisConfig(f)
	s.Analysis.Queries = merge(p, "queries", s.Analysis.Queries, analysis.Queries,
		func(q sluice.Query) sluice.Position { return q.Pos })
	p.defaultProvider(f, analysis.DefaultProvider)
}

// merge adds the names of one file to those of the others. It reports names that both define.
func merge[T any](p *parser, noun string, all, more map[string]T, at func(T) sluice.Position) map[string]T {
	if all == nil {
		return more
	}
	for _, name := range slices.Sorted(maps.Keys(more)) {
		first, twice := all[name]
		if !twice || name == "" {
			all[name] = more[name]
			continue
		}
		p.add(at(more[name]), sluice.SeverityError, codeDuplicateName, "give one of them another name, or remove it",
			fmt.Sprintf("%s is defined twice in %s: here and at %s", clip(name), noun, at(first)))
	}
	return all
}

func (p *parser) defaultProvider(f *fieldset, name string) {
	if name == "" {
		return
	}
	if p.spec.Analysis.DefaultProvider == "" {
		p.spec.Analysis.DefaultProvider, p.provider = name, p.at(f.get("analysis"))
		return
	}
	if p.spec.Analysis.DefaultProvider != name {
		p.error(f.get("analysis"), codeDuplicateName, "keep one of them, and name the provider in the queries of the other",
			"defaultMetricProviderName is %s here and %s at %s", clip(name), clip(p.spec.Analysis.DefaultProvider), p.provider)
	}
}
