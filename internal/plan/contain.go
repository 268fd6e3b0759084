package plan

import (
	"slices"

	"github.com/sluice-cd/sluice"
)

// contained returns the objects of a target as they are applied while the target has the data of another one: the
// CronJobs that its migrateData steps suspend stay suspended. A Secret whose values such a step replaces must not be
// among the objects, because they would put its values back.
func (c *compiler) contained(t sluice.Target, p prepared) prepared {
	for _, m := range c.migrations(t) {
		p.objects = slices.Clone(p.objects) // others share them
		for i, o := range p.objects {
			ref := o.Ref().String()
			if slices.Contains(m.MigrateData.Suspend, ref) {
				p.objects[i] = o.Clone()
				p.objects[i].Set(true, "spec", "suspend")
			}
			for _, v := range m.MigrateData.Secrets {
				if "Secret/"+v.Secret == ref {
					c.report(sluice.Diagnostics{{Pos: m.Pos, Severity: sluice.SeverityError, Code: codeSecretReleased,
						Message: "migrateData replaces a value of " + ref + ", and the manifests of " + t.Name + " put it back",
						Hint:    "write the value in the manifests of this target, and remove the Secret from migrateData"}})
				}
			}
		}
	}
	return p
}

// migrations returns the migrateData steps of the target that run before or after its objects are applied.
func (c *compiler) migrations(t sluice.Target) (found []sluice.StepSpec) {
	var walk func(steps []sluice.StepSpec)
	walk = func(steps []sluice.StepSpec) {
		for _, s := range steps {
			walk(s.Sequence)
			if s.MigrateData != nil {
				found = append(found, s)
			}
		}
	}
	walk(slices.Concat(t.BeforeDeployment, t.AfterDeployment))
	strategy := c.spec.Strategies[t.Strategy]
	if strategy.Canary != nil {
		walk(strategy.Canary.Steps)
	}
	if b := strategy.BlueGreen; b != nil {
		walk(slices.Concat(b.RedirectTrafficAfter, b.ShutDownOldVersionAfter))
	}
	return found
}
