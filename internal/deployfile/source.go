package deployfile

import (
	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
)

// manifests are required, unless the file has datasets: it may be only about data.
func (p *parser) manifests(f *fieldset) []sluice.ManifestSource {
	if !f.has("manifests") && (f.has("datasets") || len(p.spec.Datasets) > 0) ||
		!f.need("manifests", "list what to deploy: manifests: [{path: manifests}]") {
		return nil
	}
	var sources []sluice.ManifestSource
	hint := "begin each entry with a dash: - path: manifests/app.yaml"
	for _, m := range f.maps("manifests", "the manifest entry", hint) {
		sources = append(sources, p.manifest(m))
	}
	f.notEmpty("manifests", "list what to deploy: - path: manifests")
	return sources
}

func (p *parser) manifest(f *fieldset) sluice.ManifestSource {
	s := sluice.ManifestSource{Pos: p.at(f.node), Path: f.text("path"), Inline: f.text("inline"), Targets: p.targetList(f)}
	for _, key := range []string{"path", "inline"} {
		if v := f.get(key); v != nil {
			s.Pos = p.at(v)
		}
	}
	p.oneOf(f, "path", "inline")
	p.referEach(f, "targets", s.Targets, reference{kind: refTarget})
	return s
}

// targetList reads a list of targets; if it is absent, it means all targets.
func (p *parser) targetList(f *fieldset) []string {
	list := f.texts("targets")
	if v := f.get("targets"); v != nil && v.Kind == yaml.SequenceNode && len(list) == 0 {
		p.error(v, codeMissingKey, "remove the key to mean all targets, or name some", "the list of targets is empty")
	}
	return list
}
