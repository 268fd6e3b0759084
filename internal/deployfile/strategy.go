package deployfile

import (
	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
)

func (p *parser) strategies(f *fieldset) map[string]sluice.Strategy {
	all := map[string]sluice.Strategy{}
	f.entries("strategies", "write name: {canary: {steps: […]}}, without a dash", func(name, value *yaml.Node) {
		all[name.Value] = p.strategy(name, value)
	})
	return all
}

func (p *parser) strategy(name, value *yaml.Node) sluice.Strategy {
	s := sluice.Strategy{Pos: p.at(name)}
	f, ok := p.fields(value, "the strategy "+clip(name.Value), keysStrategy)
	if !ok {
		return s
	}
	p.oneOfGiven(f, "canary", "blueGreen")
	if v := f.get("canary"); v != nil {
		s.Canary = p.canary(v, "the canary strategy "+clip(name.Value))
	}
	if v := f.get("blueGreen"); v != nil {
		s.BlueGreen = p.blueGreen(v, "the blueGreen strategy "+clip(name.Value))
	}
	return s
}

// oneOfGiven is oneOf, but silent if the map has an unknown key instead of the known ones, which is reported already.
func (p *parser) oneOfGiven(f *fieldset, a, b string) {
	if f.has(a) == f.has(b) && (f.has(a) || len(f.node.Content) == 0 || len(f.keys) > 0) {
		p.oneOf(f, a, b)
	}
}

func (p *parser) canary(n *yaml.Node, what string) *sluice.Canary {
	c := &sluice.Canary{}
	f, ok := p.fields(n, what, keysCanary)
	if !ok || !f.need("steps", "write steps: with at least - setWeight: {weight: 100}") {
		return c
	}
	p.weight = 0
	c.Steps = p.steps(f, "steps")
	f.notEmpty("steps", "write at least - setWeight: {weight: 100}")
	return c
}

func (p *parser) blueGreen(n *yaml.Node, what string) *sluice.BlueGreen {
	f, ok := p.fields(n, what, keysBlueGreen)
	if !ok {
		return &sluice.BlueGreen{}
	}
	return &sluice.BlueGreen{
		RedirectTrafficAfter:    p.steps(f, "redirectTrafficAfter"),
		ShutDownOldVersionAfter: p.steps(f, "shutDownOldVersionAfter"),
		ActiveService:           f.text("activeService"),
		PreviewService:          f.text("previewService"),
	}
}
