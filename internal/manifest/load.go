package manifest

import (
	"errors"
	"fmt"
	"io"
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
)

// Options are what loading depends on besides the source.
type Options struct {
	Base string // put before file names in findings, to make them relative to the working directory
	// Fetch reads an https address; Denied means that it must not be read. Nil refuses every address.
	Fetch func(address string) ([]byte, error)
	// Secret is told each value of a Secret that is read, also from a text with mistakes. Nil: nobody is.
	Secret func(value string)
}

// Load returns the objects of one source in the order in which they are written. A source is a file, all .yaml and .yml
// files below a directory, the output of a kustomize directory, an https address, or inline text. Paths are relative to
// root and never leave it, not even through a symbolic link. A leading "/" means root, as in files written for GitHub
// workflows. Findings about the source itself are at src.Pos.
func Load(root string, src sluice.ManifestSource, o Options) ([]sluice.Object, sluice.Diagnostics) {
	l := loader{src: src, options: o}
	if src.Path == "" {
		l.inline()
		return l.objects, l.ds
	}
	if strings.Contains(src.Path, "://") {
		l.address()
		return l.objects, l.ds
	}
	name, ok := l.clean()
	if !ok {
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
	l.path(name)
	return l.objects, l.ds
}

type loader struct {
	src     sluice.ManifestSource
	options Options
	root    *os.Root
	bytes   int64
	objects []sluice.Object
	ds      sluice.Diagnostics
}

func (l *loader) report(code, hint, format string, args ...any) {
	l.ds = append(l.ds, sluice.Diagnostic{Pos: l.src.Pos, Severity: sluice.SeverityError, Code: code,
		Message: fmt.Sprintf(format, args...), Hint: hint})
}

// inline parses inline text. The position of the text in its file is not known, so findings are at the source and name
// their line.
func (l *loader) inline() {
	l.made("the inline manifest", []byte(l.src.Inline))
	if len(l.objects) == 0 && len(l.ds) == 0 {
		l.report(codeEmptySource, "write a manifest, or remove the entry", "the inline manifest has no object")
	}
}

// made parses a text that is not a file of the user.
func (l *loader) made(what string, text []byte) {
	objects, ds := Parse(l.src.Pos.File, text)
	l.tell(text, objects, ds)
	l.objects = objects
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
	if len(l.objects) == 0 && len(l.ds) == before {
		l.report(codeEmptySource, "name an address with manifests", "%s has no object", shown)
	}
}

func (l *loader) clean() (string, bool) {
	p := l.src.Path
	name := path.Clean(strings.TrimLeft(filepath.ToSlash(p), "/"))
	if !filepath.IsLocal(name) {
		l.report(codePathOutside, "move the manifests below the deploy file's directory",
			"the path %s is outside the deploy file's directory", p)
		return "", false
	}
	return name, true
}

func (l *loader) path(name string) {
	info, err := l.root.Stat(name)
	if err != nil {
		l.fault(name, err)
		return
	}
	if !info.IsDir() {
		l.file(name)
		return
	}
	if l.isKustomizeDir(name) {
		l.kustomize(name)
		return
	}
	before := len(l.objects)
	if err := fs.WalkDir(l.root.FS(), name, l.visit); err != nil {
		l.fault(name, err)
	}
	if len(l.objects) == before && len(l.ds) == 0 {
		l.report(codeEmptySource, "only .yaml and .yml files are read", "the directory %s has no object", name)
	}
}

func (l *loader) visit(name string, entry fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	if entry.IsDir() && name != "." && l.isKustomizeDir(name) {
		before := l.objects
		l.kustomize(name)
		l.objects = append(before, l.objects...)
		return fs.SkipDir
	}
	ext := path.Ext(name)
	if entry.IsDir() || ext != ".yaml" && ext != ".yml" {
		return nil
	}
	l.file(name)
	if len(l.objects) > maxObjects {
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
	l.objects = nil
	text, dated, err := kustomize.Render(l.root, dir)
	if err != nil {
		l.tellSource(dir)
		l.report(codeKustomize, "for details, run: kustomize build "+dir, "kustomize cannot render %s: %s", dir, err)
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
	data, err := l.read(name)
	if err != nil {
		l.fault(name, err)
		return
	}
	objects, ds := Parse(filepath.Join(l.options.Base, filepath.FromSlash(name)), data)
	l.tell(data, objects, ds)
	l.objects = append(l.objects, objects...)
	l.ds = append(l.ds, ds...)
}

var errTooLarge = errors.New("too large")

// read refuses a file that is not regular before it opens it: opening a pipe would wait for a writer.
func (l *loader) read(name string) ([]byte, error) {
	info, err := l.root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	f, err := l.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	l.bytes += int64(len(data))
	if err == nil && (len(data) > maxBytes || l.bytes > 4*maxBytes) {
		err = errTooLarge
	}
	return data, err
}

func (l *loader) fault(name string, err error) {
	switch {
	case errors.Is(err, errTooLarge):
		l.report(codePathUnreadable, "split it",
			"%s is larger than %d MiB, or all files together are larger than %d MiB", name, maxBytes>>20,
			4*maxBytes>>20)
	case errors.Is(err, fs.ErrNotExist):
		l.report(codePathNotFound, l.suggest(name), "there is no file or directory %s", name)
	case strings.Contains(err.Error(), "path escapes"):
		l.report(codePathOutside, "copy the file instead of linking to it",
			"%s leads outside the deploy file's directory through a symbolic link", name)
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
	return "create it, or correct the path; paths are relative to " + l.root.Name()
}

// reason returns the cause without the operation and the path, which the message names.
func reason(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}
