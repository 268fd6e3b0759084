package deployfile

import (
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/mask"
	"github.com/sluice-cd/sluice/internal/template"
)

func (p *parser) dataset(f *fieldset) string {
	name := f.name("dataset", "name one of the datasets of the file")
	p.refer(f, "dataset", refDataset, name)
	return name
}

func (p *parser) migrateData(f *fieldset) *sluice.MigrateData {
	s := &sluice.MigrateData{Dataset: p.dataset(f), From: f.name("from", "name the target whose data it is")}
	p.refer(f, "from", refTarget, s.From)
	s.Suspend = p.suspend(f)
	hint := `write it as a list: - {secret: …, key: …, value: "{{secrets.…}}"}`
	for _, m := range f.maps("secrets", "the Secret", hint) {
		s.Secrets = append(s.Secrets, p.secretValue(m))
	}
	return s
}

func (p *parser) suspend(f *fieldset) []string {
	names := f.texts("suspend")
	if names == nil {
		return nil
	}
	for _, n := range f.get("suspend").Content {
		name, isCronJob := strings.CutPrefix(n.Value, "CronJob/")
		if n.Kind == yaml.ScalarNode && (!isCronJob || !resourceName.form.MatchString(name)) {
			p.error(n, codeBadValue, "write it like CronJob/mails", "%s names %s, which is no CronJob", f.of("suspend"),
				clip(n.Value))
		}
	}
	return names
}

// secretValue refuses a value that the file itself holds: plans show it.
func (p *parser) secretValue(f *fieldset) sluice.SecretValue {
	v := sluice.SecretValue{
		Secret: f.name("secret", "name the Secret"), Key: f.name("key", "name the key whose value is replaced"),
		Value: f.name("value", `write value: "{{secrets.name}}", and the secret in sluice.yaml`),
	}
	if v.Value != "" && len(template.Parse(v.Value).Names("secrets.")) == 0 {
		p.error(f.get("value"), codeBadValue, `write value: "{{secrets.name}}", and the secret in sluice.yaml`,
			"%s names no secret", f.of("value"))
	}
	return v
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
	if !f.need("fields", "write fields: {customers.email: hash}") || f.get("fields").Kind != yaml.MappingNode {
		return s
	}
	v := f.get("fields")
	if len(v.Content) == 0 {
		p.error(v, codeMissingKey, "name at least one field", "maskData names no field")
	}
	for i := 0; i+1 < len(v.Content); i += 2 {
		p.maskRule(v.Content[i], v.Content[i+1], s.Fields)
	}
	return s
}

// maskRule checks one entry of fields beside all of them.
func (p *parser) maskRule(name, rule *yaml.Node, all sluice.Mask) {
	collection, field, _ := strings.Cut(name.Value, ".")
	if collection == "" || field == "" || strings.HasSuffix(field, ".") || strings.Contains(name.Value, "..") {
		p.error(name, codeBadValue, "write collection.field, such as customers.email",
			"%s does not name a field of a collection", clip(name.Value))
		return
	}
	if strings.HasSuffix(name.Value, "._id") || strings.Contains(name.Value, "._id.") {
		p.error(name, codeBadValue, "remove it; _id stays as it is", "%s is a key; keys cannot be masked", clip(name.Value))
	}
	if rule.Kind == yaml.ScalarNode && !slices.Contains(mask.Rules(), rule.Value) {
		p.error(rule, codeBadValue, "write one of: "+strings.Join(mask.Rules(), ", "), "the rule of %s is %s",
			clip(name.Value), clip(rule.Value))
	}
	for outer := name.Value; strings.Contains(outer, "."); {
		outer = outer[:strings.LastIndexByte(outer, '.')]
		if _, ok := all[outer]; ok {
			p.error(name, codeBadCombination, "keep one of them: a rule covers everything inside its field",
				"%s is inside %s, which has a rule too", clip(name.Value), clip(outer))
			return
		}
	}
}
