package main

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func TestChart(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	for _, dist := range []string{first, second} {
		if err := writeChart(tested, dist); err != nil {
			t.Fatal(err)
		}
	}
	packed := read(t, first, "sluice-1.2.3.tgz")
	if packed != read(t, second, "sluice-1.2.3.tgz") {
		t.Error("a second time other bytes were packed")
	}
	z, err := gzip.NewReader(bytes.NewReader([]byte(packed)))
	if err != nil {
		t.Fatal(err)
	}
	files := entries(t, z)
	var about struct{ Name, Version, AppVersion, KubeVersion string }
	if err := yaml.Unmarshal(files["sluice/Chart.yaml"].data, &about); err != nil {
		t.Fatal(err)
	}
	if about.Name != "sluice" || about.Version != "1.2.3" || about.AppVersion != "v1.2.3" || about.KubeVersion == "" {
		t.Errorf("the chart says %+v", about)
	}
	chart := filepath.Join(tested.root, "deploy", "chart")
	err = filepath.WalkDir(chart, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "Chart.yaml" {
			return err
		}
		want, err := os.ReadFile(path)
		name := "sluice" + strings.TrimPrefix(filepath.ToSlash(path), filepath.ToSlash(chart))
		f, found := files[name]
		if !found || !bytes.Equal(f.data, want) || f.header.Mode != 0o644 || !f.header.ModTime.Equal(tested.date) {
			t.Errorf("%s is not in the chart as it is in the checkout: %+v", name, f.header)
		}
		delete(files, name)
		return err
	})
	delete(files, "sluice/Chart.yaml")
	if err != nil || len(files) > 0 {
		t.Errorf("more is in the chart: %v, %v", files, err)
	}
}

func TestChartWithoutAVersion(t *testing.T) {
	file := filepath.Join(t.TempDir(), "Chart.yaml")
	if err := os.WriteFile(file, []byte("name: sluice\nversion: 0.1.0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := tested.aboutChart(file); err == nil || !strings.Contains(err.Error(), "appVersion") {
		t.Errorf("%v", err)
	}
}
