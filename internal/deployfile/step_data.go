package deployfile

import (
	"time"

	"github.com/sluice-cd/sluice"
)

func (p *parser) dataset(f *fieldset) string {
	name := f.name("dataset", "name one of the datasets of the file")
	p.refer(f, "dataset", refDataset, name)
	return name
}

func (p *parser) migrateData(f *fieldset) *sluice.MigrateData {
	s := &sluice.MigrateData{Dataset: p.dataset(f), From: f.name("from", "name the target whose data it is")}
	p.refer(f, "from", refTarget, s.From)
	return s
}

func (p *parser) checkpointData(f *fieldset) *sluice.CheckpointData {
	return &sluice.CheckpointData{Dataset: p.dataset(f), Keep: f.whole("keep", 0), TTL: f.duration("ttl")}
}

var defaultMode = map[string]string{"migration": "equal", "checkpoint": "loss"}

func (p *parser) verifyData(f *fieldset) *sluice.VerifyData {
	s := &sluice.VerifyData{Dataset: p.dataset(f), Ignore: f.texts("ignore")}
	if f.need("baseline", "write baseline: migration or baseline: checkpoint") {
		s.Baseline = f.word("baseline")
	}
	s.Mode = f.choice("mode", defaultMode[s.Baseline])
	return s
}

func (p *parser) restoreData(f *fieldset) *sluice.RestoreData {
	s := &sluice.RestoreData{Dataset: p.dataset(f), Checkpoint: sluice.CheckpointID(f.text("checkpoint"))}
	m, ok := f.inner("allowDataLoss", "allowDataLoss")
	if !ok {
		return s
	}
	s.AllowDataLoss = &sluice.AllowDataLoss{
		Writes: m.whole("writes", 0),
		Age:    time.Duration(m.whole("seconds", 0)) * time.Second,
	}
	return s
}

func (p *parser) maskData(f *fieldset) *sluice.MaskData {
	s := &sluice.MaskData{Dataset: p.dataset(f), Fields: f.textMap("fields")}
	if len(s.Fields) == 0 && f.need("fields", "name what is masked: fields: {customers.email: hash}") {
		p.error(f.get("fields"), codeMissingKey, "name at least one field", "nothing is masked")
	}
	return s
}
