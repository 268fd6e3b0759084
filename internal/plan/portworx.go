package plan

import (
	"cmp"
	"slices"

	"github.com/sluice-cd/sluice"
)

// moverPortworx moves volumes between two clusters and makes no copy.
const moverPortworx = "portworx"

// isMoved reports whether the storage of two clusters moves the dataset, which it cannot do on this machine.
func (g *graph) isMoved(d sluice.Dataset, targets ...string) bool {
	isLocal := g.compiler.options.LocalAccounts
	return d.Mover == moverPortworx && isLocal != nil && !slices.ContainsFunc(g.accounts(targets), isLocal)
}

// migrated returns the dataset for the migrateData step at pos.
func (g *graph) migrated(pos sluice.Position, name, from string) sluice.Dataset {
	d := g.compiler.spec.Datasets[name]
	if !g.isMoved(d, from) {
		return g.dataset(pos, name, from)
	}
	source := g.source(from)
	if source == nil {
		return d
	}
	there, here := cmp.Or(source.Namespace, defaultNamespace), cmp.Or(g.target.Namespace, defaultNamespace)
	switch {
	case source.Account == g.target.Account:
		g.compiler.fail(pos, codeMoverNotHere, "Portworx moves the dataset "+quote(name)+" between two clusters, but "+
			quote(from)+" and "+quote(g.target.Name)+" are both in the account "+quote(source.Account),
			"give one of the targets another account, or the dataset another mover")
	case there != here:
		g.compiler.fail(pos, codeMoverNotHere, "Portworx keeps the namespace of the dataset "+quote(name)+", but "+
			quote(from)+" has the namespace "+quote(there)+" and "+quote(g.target.Name)+" has "+quote(here),
			"give both targets the same namespace")
	}
	return d
}

// verified returns the dataset for the verifyData step at pos. What Portworx brought is verified without a copy.
func (g *graph) verified(pos sluice.Position, v *sluice.VerifyData) sluice.Dataset {
	d := g.compiler.spec.Datasets[v.Dataset]
	if v.Baseline == "migration" && g.isMoved(d) {
		return d
	}
	return g.dataset(pos, v.Dataset)
}
