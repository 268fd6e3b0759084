package main

import (
	"bytes"
	_ "embed"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed kubectl-sluice.yaml.tmpl
var krewTemplate string

//go:embed sluice.rb.tmpl
var formulaTemplate string

// A download is an archive as a manifest names it.
type download struct{ OS, Arch, URL, Sum string }

// A manifest is what the templates know. The description is indented as krew's is.
type manifest struct {
	Version, Number, Homepage, License, Summary, Description string
	Downloads                                                []download
}

// writeManifests writes the krew manifest and the Homebrew formula. The sums are those of the archives.
func writeManifests(p product, sums map[platform]string, dist string) error {
	m := manifest{
		Version: p.version, Number: p.number(), Homepage: homepage, License: license, Summary: summary,
		Description: strings.ReplaceAll(description, "\n", "\n    "),
	}
	for _, on := range platforms {
		m.Downloads = append(m.Downloads, download{on.os, on.arch, p.url + "/" + p.archive(on), sums[on]})
	}
	for file, text := range map[string]string{"kubectl-sluice.yaml": krewTemplate, "sluice.rb": formulaTemplate} {
		if err := m.write(filepath.Join(dist, file), text); err != nil {
			return err
		}
	}
	return nil
}

func (m manifest) write(path, text string) error {
	t, err := template.New(filepath.Base(path)).Parse(text)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, m); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}

// System is the name that Homebrew has for the system.
func (d download) System() string {
	if d.OS == "darwin" {
		return "macos"
	}
	return d.OS
}

// Chip is the name that Homebrew has for the architecture.
func (d download) Chip() string {
	if d.Arch == "amd64" {
		return "intel"
	}
	return "arm"
}
