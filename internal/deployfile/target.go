package deployfile

import (
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
)

const defaultTimeout = 30 * time.Minute

func (p *parser) config(f *fieldset) sluice.DeploymentConfig {
	c := sluice.DeploymentConfig{Timeout: defaultTimeout, InProgress: "reject"}
	m, ok := f.inner("deploymentConfig", "deploymentConfig")
	if !ok {
		return c
	}
	c.Timeout = m.duration("timeout")
	if c.Timeout < time.Minute {
		p.error(m.keys["timeout"], codeOutOfRange, "write at least one minute", "the timeout is %s", c.Timeout)
	}
	c.KeepDeploymentObject = m.bool("keepDeploymentObject")
	if s, ok := m.inner("ifDeploymentInProgress", "ifDeploymentInProgress"); ok {
		c.InProgress = s.word("strategy")
	}
	return c
}

func (p *parser) targets(f *fieldset) []sluice.Target {
	var targets []sluice.Target
	p.pos = map[string]*yaml.Node{}
	if !f.need("targets", "name at least one target with its account") {
		return nil
	}
	f.entries("targets", "write each target as name: {account: …}, without a dash", func(name, value *yaml.Node) {
		p.pos[name.Value] = name
		targets = append(targets, p.target(name, value))
	})
	if v := f.get("targets"); v.Kind == yaml.MappingNode && len(v.Content) == 0 {
		p.error(v, codeMissingKey, "name at least one target with its account", "there is no target")
	}
	return targets
}

func (p *parser) target(name, value *yaml.Node) sluice.Target {
	t := sluice.Target{Pos: p.at(name), Name: name.Value, AfterFailure: "keep"}
	f, ok := p.fields(value, "the target "+clip(name.Value), keysTarget)
	if !ok {
		return t
	}
	t.Account = f.name("account", "name the account to deploy to")
	t.Namespace = f.text("namespace")
	t.Strategy = f.text("strategy")
	p.refer(f, "strategy", refStrategy, t.Strategy)
	t.OnRollback = p.steps(f, "onRollback")
	t.MaxUnready = f.tolerance("maxUnready")
	t.Prune = f.bool("prune")
	p.constraints(&t, f)
	return t
}

func (p *parser) constraints(t *sluice.Target, f *fieldset) {
	c, ok := f.inner("constraints", "constraints of "+f.what)
	if !ok {
		return
	}
	t.DependsOn = c.texts("dependsOn")
	p.referEach(c, "dependsOn", t.DependsOn, reference{kind: refTarget})
	t.BeforeDeployment = p.steps(c, "beforeDeployment")
	t.AfterDeployment = p.steps(c, "afterDeployment")
	t.AfterFailure = c.word("afterDeploymentFailure")
}
