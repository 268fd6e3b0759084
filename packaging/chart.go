package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
)

// chart is the name of the packed chart, as Helm names one.
func (p product) chart() string { return fmt.Sprintf("%s-%s.tgz", name, p.number()) }

// writeChart packs the Helm chart as `helm package` does, for this version of Sluice and its image. Users, times and
// the order of files are the same on every machine.
func writeChart(p product, dist string) (err error) {
	from := filepath.Join(p.root, "deploy", "chart")
	about, err := p.aboutChart(filepath.Join(from, "Chart.yaml"))
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dist, p.chart()))
	if err != nil {
		return err
	}
	z := gzip.NewWriter(f)
	t := tar.NewWriter(z)
	defer func() { err = errors.Join(err, t.Close(), z.Close(), f.Close()) }()
	if err := addData(t, p.date, about, path.Join(name, "Chart.yaml")); err != nil {
		return err
	}
	return filepath.WalkDir(from, func(file string, d fs.DirEntry, err error) error {
		within, relErr := filepath.Rel(from, file)
		if err != nil || relErr != nil || d.IsDir() || within == "Chart.yaml" {
			return errors.Join(err, relErr)
		}
		return addFile(t, p.date, file, path.Join(name, filepath.ToSlash(within)), 0o644)
	})
}

// The lines of Chart.yaml that every version changes.
var (
	chartVersion = regexp.MustCompile(`(?m)^version: .*$`)
	appVersion   = regexp.MustCompile(`(?m)^appVersion: .*$`)
)

// aboutChart returns Chart.yaml with the version of the product, which is also the tag of its image.
func (p product) aboutChart(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for _, line := range []*regexp.Regexp{chartVersion, appVersion} {
		if n := len(line.FindAll(text, -1)); n != 1 {
			return nil, fmt.Errorf("%s has %d lines like %s, want 1", file, n, line)
		}
	}
	text = chartVersion.ReplaceAll(text, []byte("version: "+p.number()))
	return appVersion.ReplaceAll(text, []byte("appVersion: "+p.version)), nil
}
