package manifest

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest/kustomize"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
	"github.com/sluice-cd/sluice/internal/regular"
)

// Options are what loading depends on besides the source.
type Options struct {
	Base string // put before file names in findings, to make them relative to the working directory
	// Dir is the directory below root where paths begin; "" is root itself. A path that is not there is looked up at
	// root, as in files written to be deployed from the top of a repository.
	Dir   string
	Hooks bool // objects may be hooks of Helm or Argo CD, because a step runs them at their place
	// Fetch reads an https address; Denied means that it must not be read. Nil refuses every address.
	Fetch func(address string) ([]byte, error)
	// Secret is told each value of a Secret that is read, also from a text with mistakes. Nil: nobody is.
	Secret func(value string)
	// Read is told each file that is read, by its path relative to root. Nil: nobody is.
	Read func(name string, content []byte)
}

// Load returns the objects of one source in the order in which they are written. A source is a file, all .yaml and .yml
// files below a directory, the output of a kustomize directory, an https address, or inline text. Paths never leave
// root, not even through a symbolic link. A leading "/" means root, as in files written for GitHub workflows. Findings
// about the source itself are at src.Pos.
func Load(root string, src sluice.ManifestSource, o Options) ([]Document, sluice.Diagnostics) {
	l := loader{src: src, options: o}
	if src.Path == "" {
		l.inline()
		return l.documents, l.ds
	}
	if strings.Contains(src.Path, "://") {
		l.address()
		return l.documents, l.ds
	}
	names := l.names()
	if len(names) == 0 {
		return nil, l.ds
	}
	r, err := os.OpenRoot(root)
	if err != nil {
		l.report(codePathUnreadable, "start Sluice in the directory of the deploy file",
			"the directory %s cannot be opened: %s", root, reason(err))
		return nil, l.ds
	}
	defer func() { _ = r.Close() }()
	l.root = r
	l.path(l.existing(names))
	return l.documents, l.ds
}

type loader struct {
	src       sluice.ManifestSource
	options   Options
	root      *os.Root
	bytes     int64
	documents []Document
	ds        sluice.Diagnostics
}

func (l *loader) report(code, hint, format string, args ...any) {
	l.ds = append(l.ds, sluice.Diagnostic{Pos: l.src.Pos, Severity: sluice.SeverityError, Code: code,
		Message: fmt.Sprintf(format, args...), Hint: hint})
}

// inline parses inline text. The position of the text in its file is not known, so findings are at the source and name
// their line.
func (l *loader) inline() {
	l.made("the inline manifest", []byte(l.src.Inline))
	if len(l.documents) == 0 && len(l.ds) == 0 {
		l.report(codeEmptySource, "write a manifest, or remove the entry", "the inline manifest has no object")
	}
}

// made parses a text that is not a file of the user.
func (l *loader) made(what string, text []byte) {
	documents, ds := parse(l.src.Pos.File, text, l.options.Hooks)
	l.tell(text, Objects(documents), ds)
	for i, d := range documents {
		documents[i].Part, documents[i].Pos = fmt.Sprintf("line %d of %s", d.Pos.Line, what), l.src.Pos
	}
	l.documents = documents
	for _, d := range ds {
		d.Message = fmt.Sprintf("line %d of %s: %s", d.Pos.Line, what, d.Message)
		d.Pos = l.src.Pos
		l.ds = append(l.ds, d)
	}
}

// address reads the manifests at an https address.
func (l *loader) address() {
	u, err := url.Parse(l.src.Path)
	if err != nil || u.Host == "" {
		l.report(codeAddressRefused, "write it like https://example.com/app.yaml", "%s is not an address", l.src.Path)
		return
	}
	shown := (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String() // the rest may be secret
	switch {
	case u.Scheme != "https":
		l.report(codeAddressRefused, "use https, or download it into the repository and name the file",
			"manifests are read over https only: %s", shown)
		return
	case l.options.Fetch == nil:
		l.report(codeAddressRefused, "add --fetch, or download it into the repository and name the file",
			"reading manifests from addresses was not allowed: %s", shown)
		return
	}
	data, err := l.options.Fetch(u.String())
	switch sluice.ErrorCode(err) {
	case "":
	case sluice.Denied:
		l.report(codeAddressRefused, "download it into the repository and name the file", "%s is not read: %s", shown, err)
		return
	default:
		l.report(codeAddressUnreadable, "correct the address, or download it into the repository and name the file",
			"%s cannot be read: %s", shown, err)
		return
	}
	before := len(l.ds)
	l.made(shown, data)
	if len(l.documents) == 0 && len(l.ds) == before {
		l.report(codeEmptySource, "name an address with manifests", "%s has no object", shown)
	}
}

// names returns the names below root that the path may mean, the likeliest first. It reports a path that leaves root.
func (l *loader) names() []string {
	p := filepath.ToSlash(l.src.Path)
	var names []string
	if !strings.HasPrefix(p, "/") {
		names = append(names, path.Join(l.options.Dir, p))
	}
	if l.options.Dir != "" || len(names) == 0 {
		names = append(names, path.Clean(strings.TrimLeft(p, "/")))
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !filepath.IsLocal(name) })
	if len(names) == 0 {
		l.report(codePathOutside, "move the manifests below it, or allow the directory above with: --root "+l.above(p),
			"the path %s is outside the directory %s", l.src.Path, cmp.Or(l.options.Base, "."))
	}
	return names
}

// above returns the nearest directory that contains the path, as the user would write it.
func (l *loader) above(p string) string {
	up, rest := l.options.Base, path.Join(l.options.Dir, p)
	for rest == ".." || strings.HasPrefix(rest, "../") {
		up, rest = filepath.Join(up, ".."), strings.TrimPrefix(strings.TrimPrefix(rest, ".."), "/")
	}
	return up
}

// existing returns the first of the names that exists, or the first one.
func (l *loader) existing(names []string) string {
	for _, name := range names {
		if _, err := l.root.Lstat(name); err == nil {
			return name
		}
	}
	return names[0]
}

func (l *loader) path(name string) {
	info, err := l.root.Stat(name)
	if err != nil {
		l.fault(name, err)
		return
	}
	if !info.IsDir() {
		if l.file(name); len(l.documents) == 0 && len(l.ds) == 0 {
			l.report(codeEmptySource, "write a manifest, or remove the entry", "the file %s has no object", name)
		}
		return
	}
	if l.isKustomizeDir(name) {
		l.kustomize(name)
		return
	}
	if l.isChart(name) {
		return
	}
	before := len(l.documents)
	if err := fs.WalkDir(l.root.FS(), name, l.visit); err != nil {
		l.fault(name, err)
	}
	if len(l.documents) == before && len(l.ds) == 0 {
		l.report(codeEmptySource, "only .yaml and .yml files are read", "the directory %s has no object", name)
	}
}

func (l *loader) visit(name string, entry fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	if entry.IsDir() && name != "." && l.isKustomizeDir(name) {
		before := l.documents
		l.kustomize(name)
		l.documents = append(before, l.documents...)
		return fs.SkipDir
	}
	if entry.IsDir() && l.isChart(name) {
		return fs.SkipDir
	}
	ext := path.Ext(name)
	if entry.IsDir() || ext != ".yaml" && ext != ".yml" {
		return nil
	}
	l.file(name)
	if len(l.documents) > maxObjects {
		l.report(codeTooManyObjects, "split the directory", "there are more than %d objects in %s", maxObjects, l.src.Path)
		return fs.SkipAll
	}
	return nil
}

func (l *loader) isKustomizeDir(dir string) bool {
	entries, err := fs.ReadDir(l.root.FS(), dir)
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return !e.IsDir() && kustomize.IsKustomization(e.Name())
	})
}

// kustomize parses the output of the directory; the files in it are only input.
func (l *loader) kustomize(dir string) {
	l.documents = nil
	text, dated, err := kustomize.Render(l.root, dir, l.options.Read)
	if err != nil {
		l.tellSource(dir)
		l.report(codeKustomize, "for details, run: kustomize build "+filepath.Join(l.options.Base, dir),
			"kustomize cannot render %s: %s", dir, err)
		return
	}
	for _, said := range dated {
		l.ds = append(l.ds, sluice.Diagnostic{Pos: l.src.Pos, Severity: sluice.SeverityWarning,
			Code: codeKustomizeOutdated, Message: said, Hint: "to change it, run: kustomize edit fix"})
	}
	l.made("the output of "+dir, text)
}

func (l *loader) file(name string) {
	if kustomize.IsKustomization(name) {
		l.kustomize(path.Dir(name))
		return
	}
	if path.Base(name) == chartFile && l.isChart(path.Dir(name)) {
		return
	}
	data, err := l.read(name)
	if err != nil {
		l.fault(name, err)
		return
	}
	documents, ds := parse(filepath.Join(l.options.Base, filepath.FromSlash(name)), data, l.options.Hooks)
	l.tell(data, Objects(documents), ds)
	l.documents = append(l.documents, documents...)
	l.ds = append(l.ds, ds...)
}

func (l *loader) read(name string) ([]byte, error) {
	data, err := regular.Read(l.root.Stat, l.root.Open, name, min(maxBytes, 4*maxBytes-l.bytes))
	l.bytes += int64(len(data))
	if err == nil && l.options.Read != nil {
		l.options.Read(name, data)
	}
	return data, err
}

func (l *loader) fault(name string, err error) {
	switch {
	case errors.Is(err, regular.ErrTooLarge):
		l.report(codePathUnreadable, "split it",
			"%s is larger than %d MiB, or all files together are larger than %d MiB", name, maxBytes>>20,
			4*maxBytes>>20)
	case errors.Is(err, fs.ErrNotExist):
		l.report(codePathNotFound, l.suggest(name), "there is no file or directory %s", name)
	case strings.Contains(err.Error(), "path escapes"):
		l.report(codePathOutside, "copy the file instead of linking to it",
			"%s leads outside the directory %s through a symbolic link", name, cmp.Or(l.options.Base, "."))
	default:
		l.report(codePathUnreadable, "make it a readable file", "%s cannot be read: %s", name, reason(err))
	}
}

// suggest follows the path as far as it exists and names the nearest entry there.
func (l *loader) suggest(name string) string {
	dir, rest := ".", strings.Split(name, "/")
	for len(rest) > 1 {
		next := path.Join(dir, rest[0])
		if info, err := l.root.Stat(next); err != nil || !info.IsDir() {
			break
		}
		dir, rest = next, rest[1:]
	}
	entries, err := fs.ReadDir(l.root.FS(), dir)
	if err != nil {
		return "create it, or correct the path"
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if near := yamldoc.Nearest(rest[0], names); near != "" {
		return "did you mean " + path.Join(append([]string{dir, near}, rest[1:]...)...) + "?"
	}
	return "create it, or correct the path; paths are relative to " + cmp.Or(l.options.Base, ".")
}

// reason returns the cause without the operation and the path, which the message names.
func reason(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}
