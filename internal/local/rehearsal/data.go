package rehearsal

import (
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/kind"
)

// data changes the steps of datasets whose database is a stand-in: they only copy files.
func (r *rehearser) data(s *sluice.PlannedStep) {
	switch {
	case s.MigrateData != nil:
		s.MigrateData = changed(s.MigrateData)
		s.MigrateData.Spec = r.dataset(s, s.MigrateData.Spec, s.Target, s.MigrateData.From)
		r.mask(s)
		r.precautions(s)
	case s.CheckpointData != nil:
		s.CheckpointData = changed(s.CheckpointData)
		s.CheckpointData.Spec = r.dataset(s, s.CheckpointData.Spec, s.Target)
	case s.RestoreData != nil:
		s.RestoreData = changed(s.RestoreData)
		s.RestoreData.Spec = r.dataset(s, s.RestoreData.Spec, s.Target)
	case s.VerifyData != nil:
		s.VerifyData = changed(s.VerifyData)
		s.VerifyData.Spec = r.dataset(s, s.VerifyData.Spec, s.Target)
		if s.VerifyData.Spec.Engine == engineFiles {
			r.instead("verification of "+s.VerifyData.Dataset, "not done: its database is a stand-in", s.ID)
		}
	}
}

// mask removes the masking of datasets whose database is a stand-in.
func (r *rehearser) mask(s *sluice.PlannedStep) {
	m := s.MigrateData
	if len(m.Mask) == 0 {
		return
	}
	if m.Spec.Engine == engineFiles {
		r.instead("masking of "+m.Dataset, "not done: its database is a stand-in", s.ID)
		m.Mask = nil
		return
	}
	r.real("fields of "+m.Dataset+" are masked", s.ID)
}

// precautions removes what keeps a target from acting on its data: nothing here can act.
func (r *rehearser) precautions(s *sluice.PlannedStep) {
	m := s.MigrateData
	for _, name := range m.Suspend {
		r.instead(name, "not suspended: CronJobs never run here", s.ID)
	}
	for _, v := range m.Secrets {
		r.instead("the value of "+v.Key+" in Secret/"+v.Secret, "not replaced", s.ID)
	}
	m.Suspend, m.Secrets = nil, nil
}

func (r *rehearser) dataset(s *sluice.PlannedStep, d sluice.Dataset, targets ...string) sluice.Dataset {
	if d.Mover != "" && d.Mover != "auto" && d.Mover != "kopia" {
		r.instead("mover "+d.Mover+" of "+d.Name, "kopia", s.ID)
		d.Mover, d.Portworx = "auto", nil
	}
	if !slices.ContainsFunc(targets, func(t string) bool { return r.standsIn(t, d.Workload) }) {
		r.real("dataset "+d.Name+" is copied, read and compared", s.ID)
		r.templates(s, d.URI)
		return d
	}
	if d.Engine != engineFiles {
		r.instead("dataset "+d.Name, "its files are copied; nobody reads its database, which is a stand-in", s.ID)
	}
	d.Engine, d.URI, d.Invariants, d.Quiesce = engineFiles, "", nil, sluice.Quiesce{Mode: "none"}
	return d
}

// standsIn reports whether the target's workload is a stand-in. A workload that is in no manifest counts as real if
// anything runs for real in the target's account.
func (r *rehearser) standsIn(target, workload string) bool {
	t, _ := r.plan.Target(target)
	images := r.options.Images(t.Account)
	for _, o := range r.objectsOf(target) {
		if o.Ref().String() != workload {
			continue
		}
		return slices.ContainsFunc(containers(o), func(c sluice.Object) bool {
			return isStandIn(c) || images[c.Text("image")] == ""
		})
	}
	return len(images) == 0
}

// waitFor notes a wait for an object that never changes here.
func (r *rehearser) waitFor(s *sluice.PlannedStep) {
	if isInert(*s) {
		r.instead("wait for "+s.WaitFor.Object, "counts as met", s.ID)
	}
}

// isInert reports whether a waitFor step waits for an object that is only kept.
func isInert(s sluice.PlannedStep) bool {
	ref, err := sluice.ParseRef(s.WaitFor.Object, s.WaitFor.Namespace)
	return err == nil && !kind.Runs(ref.APIVersion, ref.Kind)
}
