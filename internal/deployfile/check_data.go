package deployfile

import (
	"maps"

	"github.com/sluice-cd/sluice"
)

// made says which datasets have a migration or a checkpoint at some point of a target.
type made map[[2]string]bool

func (m made) lacks(kind, dataset string) bool {
	return kind != "" && dataset != "" && !m[[2]string{kind, dataset}]
}

// checkData follows each target's steps in order and reports steps that use a copy that does not exist yet.
func (p *parser) checkData() {
	for _, t := range p.spec.Targets {
		have := made{}
		p.parallel(t, t.BeforeDeployment, have)
		if s := p.spec.Strategies[t.Strategy]; s.Canary != nil {
			p.inOrder(t, s.Canary.Steps, have)
		} else if s.BlueGreen != nil {
			p.parallel(t, s.BlueGreen.RedirectTrafficAfter, have)
			p.parallel(t, s.BlueGreen.ShutDownOldVersionAfter, have)
		}
		p.parallel(t, t.AfterDeployment, have)
		p.inOrder(t, t.OnRollback, have)
	}
}

func (p *parser) inOrder(t sluice.Target, steps []sluice.StepSpec, have made) {
	for i, s := range steps {
		if s.MaskData != nil {
			p.checkMask(s, steps[:i])
		}
		p.follow(t, s, have, have)
	}
}

// checkMask requires a migration of the same dataset right before: nothing may use a copy that is not masked.
func (p *parser) checkMask(s sluice.StepSpec, before []sluice.StepSpec) {
	name := s.MaskData.Dataset
	if name == "" {
		return
	}
	if n := len(before); n == 0 || before[n-1].MigrateData == nil || before[n-1].MigrateData.Dataset != name {
		p.errorAt(s.Pos, codeNothingToMask, "write both in one sequence: - sequence: [{migrateData: …}, {maskData: …}]",
			"maskData of %s must come right after the migrateData of %[1]s", clip(name))
	}
	if d, ok := p.spec.Datasets[name]; ok && d.Engine != "" && d.Engine != maskable {
		p.errorAt(s.Pos, codeUnsupported, "remove the step, or copy masked data in a runJob step",
			"maskData supports only the engine %s, but %s has the engine %s", maskable, clip(name), clip(d.Engine))
	}
}

// maskable is the engine whose fields can be masked.
const maskable = "mongodb"

// parallel checks steps that cannot rely on each other, only on what was made before all of them.
func (p *parser) parallel(t sluice.Target, steps []sluice.StepSpec, have made) {
	out := made{}
	for _, s := range steps {
		if s.MaskData != nil {
			p.checkMask(s, nil)
		}
		p.follow(t, s, have, out)
	}
	maps.Copy(have, out)
}

// follow checks one step against the copies that it can rely on, and adds what it makes to out.
func (p *parser) follow(t sluice.Target, s sluice.StepSpec, have, out made) {
	switch {
	case s.Sequence != nil:
		local := maps.Clone(have)
		p.inOrder(t, s.Sequence, local)
		maps.Copy(out, local)
	case s.MigrateData != nil:
		if s.MigrateData.From == t.Name {
			p.errorAt(s.Pos, codeMigrationToItself, "name another target in from:",
				"the target %s would migrate data from itself", clip(t.Name))
		}
		out[[2]string{"migration", s.MigrateData.Dataset}] = true
	case s.CheckpointData != nil:
		out[[2]string{"checkpoint", s.CheckpointData.Dataset}] = true
	case s.VerifyData != nil:
		if v := s.VerifyData; have.lacks(v.Baseline, v.Dataset) {
			step := map[string]string{"migration": "migrateData", "checkpoint": "checkpointData"}[v.Baseline]
			p.errorAt(s.Pos, codeNoBaseline, "put "+step+" of "+clip(v.Dataset)+
				" before it; steps of one list run in parallel unless they are in a sequence",
				"no earlier step of the target %s makes a %s of %s", clip(t.Name), v.Baseline, clip(v.Dataset))
		}
	case s.RestoreData != nil:
		if r := s.RestoreData; r.Checkpoint == "" && have.lacks("checkpoint", r.Dataset) {
			p.errorAt(s.Pos, codeNothingToRestore,
				"add checkpointData: {dataset: "+clip(r.Dataset)+"} to its beforeDeployment, or name a checkpoint:",
				"no earlier step of the target %s makes a checkpoint of %s", clip(t.Name), clip(r.Dataset))
		}
	}
}
