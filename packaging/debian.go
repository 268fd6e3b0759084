package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
)

// writeDebian writes the Debian package of a program.
func writeDebian(p product, program program, pages, dist string) (err error) {
	work, err := os.MkdirTemp("", "debian-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	contents, err := debianFiles(program, pages, work)
	if err != nil {
		return err
	}
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: name, Arch: program.arch, Platform: program.os, Version: p.version, Section: "admin", Priority: "optional",
		Maintainer: "Sluice <" + homepage + ">", Homepage: homepage, License: license,
		Description: summary + "\n" + description, MTime: p.date, DisableGlobbing: true,
		Overridables: nfpm.Overridables{Contents: contents},
	})
	if err := nfpm.PrepareForPackager(info, "deb"); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dist, deb.Default.ConventionalFileName(info)))
	if err != nil {
		return err
	}
	return errors.Join(deb.Default.Package(info, f), f.Close())
}

// debianFiles says which file goes where. It compresses man pages into the directory work.
func debianFiles(program program, pages, work string) (files.Contents, error) {
	places := []struct{ from, to string }{
		{licenseFile, "/usr/share/doc/sluice/copyright"},
		{readmeFile, "/usr/share/doc/sluice/README.md"},
		{completions + "/sluice.bash", "/usr/share/bash-completion/completions/sluice"},
		{completions + "/sluice.zsh", "/usr/share/zsh/vendor-completions/_sluice"},
		{completions + "/sluice.fish", "/usr/share/fish/vendor_completions.d/sluice.fish"},
	}
	contents := files.Contents{place(program.path, "/usr/bin/sluice", 0o755)}
	for _, p := range places {
		contents = append(contents, place(filepath.Join(pages, p.from), p.to, 0o644))
	}
	manPages, err := filepath.Glob(filepath.Join(pages, manual, "*"))
	if err != nil {
		return nil, err
	}
	for _, page := range manPages {
		compressed := filepath.Join(work, filepath.Base(page)+".gz")
		if err := compress(page, compressed); err != nil {
			return nil, err
		}
		contents = append(contents, place(compressed, "/usr/share/man/man1/"+filepath.Base(compressed), 0o644))
	}
	return contents, nil
}

func place(from, to string, mode os.FileMode) *files.Content {
	return &files.Content{Source: from, Destination: to, FileInfo: &files.ContentFileInfo{Mode: mode}}
}

func compress(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err = z.Write(text)
	if err := errors.Join(err, z.Close()); err != nil {
		return err
	}
	return os.WriteFile(to, out.Bytes(), 0o644)
}
