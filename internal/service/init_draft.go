package service

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/compose"
	"github.com/sluice-cd/sluice/internal/manifest"
	"github.com/sluice-cd/sluice/internal/starter"
)

// A draft holds manifests that are in no file yet. They are written beside the deploy file.
type draft struct {
	manifests []initFile
	jobs      []initFile
	compose   compose.Result // what they were made of, if it was a compose file
	findings  sluice.Diagnostics
}

// draft returns the manifests that are piped in, or made of a compose file.
func (r *InitRequest) draft(ctx context.Context) (draft, error) {
	if compose.Is([]byte(r.Text)) {
		return r.fromCompose(ctx, compose.Source{Name: "stdin", Dir: ".", Text: []byte(r.Text)})
	}
	if r.Text != "" {
		return draft{manifests: []initFile{{textFile, r.Text}}}, nil
	}
	for _, path := range r.Manifests {
		text, err := os.ReadFile(path)
		if err != nil || !compose.Is(text) {
			continue // a directory, or something that is reported as manifests
		}
		if len(r.Manifests) > 1 {
			return draft{}, sluice.Errorf(sluice.Invalid, "%s is a compose file, and others are named beside it", path).
				WithHint("name it alone; docker compose config merges several compose files into one")
		}
		r.Manifests = nil
		return r.fromCompose(ctx, compose.Source{Name: path, Dir: filepath.Dir(path), Text: text})
	}
	return draft{}, nil
}

func (r *InitRequest) fromCompose(ctx context.Context, s compose.Source) (d draft, err error) {
	s.Environment, s.Secret = r.Environment, r.Secret
	if d.compose, d.findings = compose.Read(ctx, s); d.findings.HasErrors() {
		return d, d.findings.InOrder(s.Name)
	}
	if override := overrideOf(s.Name); override != "" {
		d.compose.Guesses = append(d.compose.Guesses,
			override+" is not a part of it; docker compose config | sluice init - reads both")
	}
	d.manifests = []initFile{{textFile, d.compose.Manifests}}
	if d.compose.Secrets != "" {
		d.manifests = append(d.manifests, initFile{"secrets.yaml", d.compose.Secrets})
	}
	for _, job := range d.compose.Jobs {
		d.jobs = append(d.jobs, initFile{job.Name + "-job.yaml", job.Text})
	}
	return d, nil
}

// overrideOf returns the file that Docker merges into a compose file unless told otherwise, "" if there is none.
func overrideOf(path string) string {
	extension := filepath.Ext(path)
	override := strings.TrimSuffix(path, extension) + ".override" + extension
	if _, err := os.Stat(override); err != nil {
		return ""
	}
	return override
}

// read adds the drafted manifests to what is known of the application.
func (d draft) read(in *starter.Input, o manifest.Options) (ds sluice.Diagnostics) {
	objects := func(f initFile) []sluice.Object {
		source := sluice.ManifestSource{Pos: sluice.Position{File: f.name}, Inline: f.text}
		documents, found := manifest.Load(".", source, o)
		ds = append(ds, found...)
		return manifest.Objects(documents)
	}
	for _, f := range d.manifests {
		in.Paths, in.Objects = append(in.Paths, f.name), append(in.Objects, objects(f)...)
	}
	for _, f := range d.jobs {
		for _, o := range objects(f) {
			in.Objects = append(in.Objects, o)
			in.Jobs = append(in.Jobs, starter.Job{Name: o.Text("metadata", "name"), Path: f.name})
		}
	}
	return ds
}
