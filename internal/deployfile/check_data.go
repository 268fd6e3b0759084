package deployfile

import (
	"maps"

	"github.com/sluice-cd/sluice"
)

// made tells which datasets have a migration or a checkpoint at some point of a target.
type made map[[2]string]bool

// checkData follows each target's steps in their order and reports what uses a copy before there is one.
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

// checkMask asks for a migration of the same dataset right before: nobody may use a copy that is not masked yet.
func (p *parser) checkMask(s sluice.StepSpec, before []sluice.StepSpec) {
	name := s.MaskData.Dataset
	if name == "" {
		return
	}
	if n := len(before); n == 0 || before[n-1].MigrateData == nil || before[n-1].MigrateData.Dataset != name {
		p.add(s.Pos, sluice.SeverityError, codeNothingToMask,
			"write both in one sequence: - sequence: [{migrateData: …}, {maskData: …}]",
			"maskData of "+clip(name)+" does not stand right after the migrateData of "+clip(name))
	}
	if d, ok := p.spec.Datasets[name]; ok && d.Engine != "" && d.Engine != maskable {
		p.add(s.Pos, sluice.SeverityError, codeUnsupported, "remove the step, or copy masked data in a runJob step",
			"maskData needs a dataset of the engine "+maskable+", and "+clip(name)+" has the engine "+clip(d.Engine))
	}
}

// maskable is the engine whose fields can be masked.
const maskable = "mongodb"

// parallel steps cannot count on each other, only on what was there before all of them.
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

// follow checks one step against what it can count on, and adds what it makes to out.
func (p *parser) follow(t sluice.Target, s sluice.StepSpec, have, out made) {
	switch {
	case s.Sequence != nil:
		local := maps.Clone(have)
		p.inOrder(t, s.Sequence, local)
		maps.Copy(out, local)
	case s.MigrateData != nil:
		if s.MigrateData.From == t.Name {
			p.add(s.Pos, sluice.SeverityError, codeMigrationToItself, "name another target in from:",
				"the target "+clip(t.Name)+" would be filled from itself")
		}
		out[[2]string{"migration", s.MigrateData.Dataset}] = true
	case s.CheckpointData != nil:
		out[[2]string{"checkpoint", s.CheckpointData.Dataset}] = true
	case s.VerifyData != nil:
		p.checkBaseline(t, s, have)
	case s.RestoreData != nil:
		p.checkCheckpoint(t, s, have)
	}
}

func (p *parser) checkCheckpoint(t sluice.Target, s sluice.StepSpec, have made) {
	name := s.RestoreData.Dataset
	if name == "" || s.RestoreData.Checkpoint != "" || have[[2]string{"checkpoint", name}] {
		return
	}
	p.add(s.Pos, sluice.SeverityError, codeNothingToRestore,
		"add checkpointData: {dataset: "+clip(name)+"} to its beforeDeployment, or name a checkpoint:",
		"no step of the target "+clip(t.Name)+" before this one makes a checkpoint of "+clip(name))
}

var makesBaseline = map[string]string{"migration": "migrateData", "checkpoint": "checkpointData"}

func (p *parser) checkBaseline(t sluice.Target, s sluice.StepSpec, have made) {
	v := s.VerifyData
	if v.Baseline == "" || v.Dataset == "" || have[[2]string{v.Baseline, v.Dataset}] {
		return
	}
	p.add(s.Pos, sluice.SeverityError, codeNoBaseline,
		"put "+makesBaseline[v.Baseline]+" of "+clip(v.Dataset)+" before it; steps of one list run in parallel unless they stand in a sequence",
		"no step of the target "+clip(t.Name)+" before this one makes a "+v.Baseline+" of "+clip(v.Dataset))
}
