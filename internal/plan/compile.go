package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest"
)

// Options are what a plan depends on besides the deploy file.
type Options struct {
	Root    string        // manifests are read from here and never from outside
	Sealer  sluice.Sealer // seals what Secrets hold, so that a plan can be recorded
	Targets []string      // only these; empty: all of them
	// LocalAccounts reports whether an account is this machine, where some things cannot be had. Nil: none is.
	LocalAccounts func(account string) bool
}

// Compile returns the plan of a deploy file, or what is wrong with its manifests. Warnings come with a plan.
func Compile(spec *sluice.Spec, o Options) (*sluice.Plan, sluice.Diagnostics) {
	c := &compiler{spec: spec, options: o}
	c.checkTargets()
	p := &sluice.Plan{Application: spec.Application, Description: spec.Description, Context: spec.Context}
	for _, t := range spec.Targets {
		if !c.included(t.Name) {
			continue
		}
		planned, steps := c.target(t)
		p.Targets = append(p.Targets, planned)
		p.Steps = append(p.Steps, steps...)
	}
	if c.found.HasErrors() {
		return nil, c.found
	}
	p.Digest = digest(p)
	return p, c.found
}

type compiler struct {
	spec    *sluice.Spec
	options Options
	found   sluice.Diagnostics
}

func (c *compiler) included(target string) bool {
	return len(c.options.Targets) == 0 || slices.Contains(c.options.Targets, target)
}

func (c *compiler) checkTargets() {
	for _, name := range c.options.Targets {
		known := slices.ContainsFunc(c.spec.Targets, func(t sluice.Target) bool { return t.Name == name })
		if !known {
			c.fail(sluice.Position{}, codeUnknownTarget, "there is no target "+quote(name), "the deploy file has: "+list(c.spec.Targets))
		}
	}
}

func (c *compiler) fail(pos sluice.Position, code, message, hint string) {
	c.found = append(c.found, sluice.Diagnostic{Pos: pos, Severity: sluice.SeverityError, Code: code, Message: message, Hint: hint})
}

// objects returns what the manifests give a target, in the order in which it is applied.
func (c *compiler) objects(t sluice.Target) []sluice.Object {
	var objects []sluice.Object
	for _, source := range c.spec.Manifests {
		if len(source.Targets) > 0 && !slices.Contains(source.Targets, t.Name) {
			continue
		}
		loaded, found := manifest.Load(c.options.Root, source)
		c.report(found)
		objects = append(objects, loaded...)
	}
	c.prepare(t, objects)
	for _, d := range manifest.Duplicates(objects) {
		c.fail(t.Pos, codeDuplicateObject, fmt.Sprintf("target %q gets %s more than once", t.Name, d.Ref), "keep one of them, or restrict its manifest with targets")
	}
	return manifest.Order(objects)
}

// report adds findings, once each: a manifest is read again for every target that uses it.
func (c *compiler) report(found sluice.Diagnostics) {
	for _, d := range found {
		if !slices.Contains(c.found, d) {
			c.found = append(c.found, d)
		}
	}
}

func (c *compiler) prepare(t sluice.Target, objects []sluice.Object) {
	if t.Namespace != "" {
		manifest.SetNamespace(objects, t.Namespace)
	}
	if c.options.Sealer == nil {
		return
	}
	if err := manifest.SealSecrets(objects, c.options.Sealer); err != nil {
		c.fail(t.Pos, codeSecretNotSealed, err.Error(), sluice.ErrorHint(err))
	}
}

func digest(p *sluice.Plan) string {
	data, err := json.Marshal(p)
	if err != nil {
		panic("a plan can always be encoded: " + err.Error())
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
