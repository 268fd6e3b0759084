package plan

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/sluice-cd/sluice"
)

// traffic returns how a target divides its traffic, with every default filled in.
func (c *compiler) traffic(t sluice.Target) []sluice.Traffic {
	var all []sluice.Traffic
	for _, entry := range c.spec.Traffic {
		if len(entry.Targets) > 0 && !slices.Contains(entry.Targets, t.Name) {
			continue
		}
		c.checkMesh(t, entry)
		entry.SMI = slices.Clone(entry.SMI)
		for i, s := range entry.SMI {
			entry.SMI[i].CanaryServiceName = cmp.Or(s.CanaryServiceName, s.RootServiceName+"-canary")
			entry.SMI[i].TrafficSplitName = cmp.Or(s.TrafficSplitName, s.RootServiceName)
		}
		entry.Gateway = slices.Clone(entry.Gateway)
		for i, g := range entry.Gateway {
			entry.Gateway[i].Kind = cmp.Or(g.Kind, "HTTPRoute")
		}
		all = append(all, entry)
	}
	return c.withStrategyServices(t, all)
}

// checkMesh refuses traffic that needs a service mesh or a gateway on an account without one.
func (c *compiler) checkMesh(t sluice.Target, entry sluice.Traffic) {
	mesh := ""
	switch {
	case len(entry.Istio) > 0:
		mesh = "Istio"
	case len(entry.SMI) > 0:
		mesh = "SMI"
	case len(entry.Gateway) > 0:
		mesh = "the Gateway API"
	}
	if mesh == "" || c.options.LocalAccounts == nil || !c.options.LocalAccounts(t.Account) {
		return
	}
	c.fail(entry.Pos, codeTrafficNotHere,
		fmt.Sprintf("target %s would divide its traffic by %s, but the local account %s has no service mesh and no gateway",
			quote(t.Name), mesh, quote(t.Account)),
		"remove the target from the entry's targets: the local account divides the traffic of plain Services without it")
}

// withStrategyServices adds the Services that a blue/green strategy names itself, which is the older place for them.
func (c *compiler) withStrategyServices(t sluice.Target, all []sluice.Traffic) []sluice.Traffic {
	s := c.spec.Strategies[t.Strategy]
	if s.BlueGreen == nil || s.BlueGreen.ActiveService == "" && s.BlueGreen.PreviewService == "" {
		return all
	}
	own := sluice.BlueGreenServices{ActiveService: s.BlueGreen.ActiveService, PreviewService: s.BlueGreen.PreviewService}
	for _, entry := range all {
		if slices.Contains(entry.Kubernetes, own) {
			return all
		}
	}
	return append(all, sluice.Traffic{Pos: s.Pos, Kubernetes: []sluice.BlueGreenServices{own}})
}

// previews returns the names of the Services that show a target's new version before the switch.
func previews(traffic []sluice.Traffic) []string {
	var names []string
	for _, entry := range traffic {
		for _, s := range entry.Kubernetes {
			if s.PreviewService != "" && s.PreviewService != s.ActiveService && !slices.Contains(names, s.PreviewService) {
				names = append(names, s.PreviewService)
			}
		}
	}
	return names
}
