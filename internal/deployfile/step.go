package deployfile

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

// A place is a list of steps in the file, with the kinds that it may hold.
type place struct {
	name  string // of its definition in the JSON Schema
	what  string
	kinds []sluice.StepKind
	hint  string // for other kinds
}

// sequence is the place inside a sequence in this place.
func (p place) sequence() place {
	kinds := slices.DeleteFunc(slices.Clone(p.kinds), func(k sluice.StepKind) bool { return k == sluice.KindSetWeight })
	return place{p.name, "a sequence in " + p.what, kinds, "put it outside the sequence"}
}

var everywhere = []sluice.StepKind{
	sluice.KindPause, sluice.KindRunWebhook, sluice.KindRunJob, sluice.KindWaitFor, sluice.KindMigrateData,
	sluice.KindCheckpointData, sluice.KindVerifyData, sluice.KindRestoreData, sluice.KindMaskData, sluice.KindSequence,
}

func also(kinds ...sluice.StepKind) []sluice.StepKind { return slices.Concat(kinds, everywhere) }

var (
	placeBefore = place{"stepsBefore", "beforeDeployment", everywhere, "put it into a strategy or into afterDeployment"}
	placeAfter  = place{"stepsAfter", "afterDeployment", also(sluice.KindAnalysis), "put it into a strategy"}
	placeCanary = place{"stepsCanary", "the steps of a canary",
		also(sluice.KindSetWeight, sluice.KindAnalysis, sluice.KindExposeServices), "move it to another list"}
	placeBlue = place{"stepsBlueGreen", "a blue/green strategy", also(sluice.KindAnalysis, sluice.KindExposeServices),
		"weights are for a canary; remove it"}
	placeUndo = place{"stepsOnRollback", "onRollback", also(sluice.KindAnalysis), "put it into a strategy"}
)

func allKinds() []string {
	var names []string
	for kind := range stepKeys {
		names = append(names, string(kind))
	}
	slices.Sort(names)
	return names
}

func (p *parser) steps(f *fieldset, key string) []sluice.StepSpec {
	at := *f.table.key(key, formSteps).at
	var steps []sluice.StepSpec
	for _, n := range p.wholeSteps(f.items(key, "begin each step with a dash, as in - pause: {untilApproved: true}")) {
		if s, ok := p.step(n, at); ok {
			steps = append(steps, s)
		}
	}
	return steps
}

func (p *parser) step(n *yaml.Node, at place) (sluice.StepSpec, bool) {
	key, value, ok := p.kindOf(n)
	if !ok {
		return sluice.StepSpec{}, false
	}
	kind := sluice.StepKind(key.Value)
	if !slices.Contains(at.kinds, kind) {
		p.error(key, codeStepNotHere, at.hint, "%s is not allowed in %s", kind, at.what)
		return sluice.StepSpec{}, false
	}
	s := sluice.StepSpec{Pos: p.at(key), Kind: kind, Name: p.label(n, key)}
	if kind == sluice.KindSequence {
		s.Sequence = p.sequence(value, at)
		return s, true
	}
	f, ok := p.fields(value, p.stepName(kind, value), stepKeys[kind])
	if !ok || kind == sluice.KindAnalysis && p.judgesNothing(f) {
		return sluice.StepSpec{}, false
	}
	p.decode(&s, f)
	return s, true
}

func (p *parser) stepName(kind sluice.StepKind, value *yaml.Node) string {
	if kind == sluice.KindAnalysis {
		return "analysis step"
	}
	if name := yamldoc.Get(value, "name"); name != nil && name.Kind == yaml.ScalarNode {
		return string(kind) + " " + clip(name.Value)
	}
	return string(kind)
}

func (p *parser) sequence(n *yaml.Node, at place) []sluice.StepSpec {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		p.wrongType(n, "sequence", "a list with at least one step", "begin each step below it with a dash")
		return nil
	}
	inner := at.sequence()
	var steps []sluice.StepSpec
	for _, child := range p.wholeSteps(n.Content) {
		if s, ok := p.step(child, inner); ok {
			steps = append(steps, s)
		}
	}
	return steps
}

// kindOf returns the one key of a step and its value. If the step's fields are beside the key instead of below it,
// kindOf reports that and returns the value that was meant.
func (p *parser) kindOf(n *yaml.Node) (key, value *yaml.Node, ok bool) {
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		hint := "write it as - pause: {untilApproved: true}"
		if _, known := stepKeys[sluice.StepKind(n.Value)]; known {
			hint = "add a colon and its fields: " + n.Value + ": {…}"
		}
		p.wrongType(n, "a step", "a map with the kind of step as its key", hint)
		return nil, nil, false
	}
	var kinds []int
	for i := 0; i < len(n.Content); i += 2 {
		if _, known := stepKeys[sluice.StepKind(n.Content[i].Value)]; known {
			kinds = append(kinds, i)
		}
	}
	switch rest := beside(n, nil); {
	case len(kinds) == 0 && len(rest) == 0:
		p.error(n.Content[0], codeMissingKey, "add what it does below it, such as pause: {untilApproved: true}",
			"the step has a name and nothing else")
		return nil, nil, false
	case len(kinds) == 0:
		key, ok := p.unknownStep(n.Content[rest[0]])
		return key, n.Content[rest[0]+1], ok && len(rest) == 1
	case len(kinds) > 1:
		second := n.Content[kinds[1]]
		p.error(second, codeBadCombination, "put a dash before "+second.Value+": to make it a step of its own",
			"a step has one kind, but this one has %s and %s", n.Content[kinds[0]].Value, second.Value)
		return nil, nil, false
	}
	key, value = n.Content[kinds[0]], n.Content[kinds[0]+1]
	if len(beside(n, key)) == 0 {
		return key, value, true
	}
	return key, p.adopt(n, key, value), true
}

// nameKey names a step, beside its kind.
var nameKey = key{"name", own, "", "A name for people, shown with the step's id"}

// beside returns where in the step the keys are that are neither its kind nor its name. A name beside a kind that takes
// a name itself, and has none, is that of the kind.
func beside(n, kind *yaml.Node) (list []int) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		isName := n.Content[i].Value == nameKey.name && n.Content[i].Kind == yaml.ScalarNode
		if n.Content[i] != kind && (!isName || lacksName(n, kind)) {
			list = append(list, i)
		}
	}
	return list
}

func lacksName(n, kind *yaml.Node) bool {
	if kind == nil || stepKeys[sluice.StepKind(kind.Value)] == nil {
		return false
	}
	k, takes := stepKeys[sluice.StepKind(kind.Value)].find(nameKey.name)
	return takes && k.absent == required && yamldoc.Get(yamldoc.Get(n, kind.Value), nameKey.name) == nil
}

// label returns the name of the step.
func (p *parser) label(n, kind *yaml.Node) (name string) {
	if len(beside(n, kind)) > 0 {
		return ""
	}
	p.each(n, func(key, value *yaml.Node) {
		switch {
		case key == kind || yamldoc.IsNull(value):
		case sluice.StepKind(kind.Value) == sluice.KindSequence:
			p.error(key, codeBadCombination, "name the steps in it", "a sequence has no name")
		default:
			p.check(nameKey.value, value, "the name of a step")
			name = p.textOf(value, "the name of a step")
		}
	})
	return name
}

// unknownStep reports the key and returns the one that was meant, if that is clear.
func (p *parser) unknownStep(key *yaml.Node) (*yaml.Node, bool) {
	if key.Kind != yaml.ScalarNode {
		p.error(key, codeWrongType, "write it as - pause: {untilApproved: true}",
			"the kind of a step must be text, but this is %s", show(key))
		return nil, false
	}
	near := yamldoc.Nearest(key.Value, allKinds())
	hint := "did you mean " + near + "?"
	if near == "" {
		hint = "known steps: " + strings.Join(allKinds(), ", ")
	}
	p.error(key, codeUnknownStep, hint, "unknown step %s", clip(key.Value))
	meant := *key
	meant.Value = near
	return &meant, near != ""
}

// adopt returns the step's value together with the fields beside its key.
func (p *parser) adopt(n, key, value *yaml.Node) *yaml.Node {
	merged := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: value.Line, Column: value.Column}
	if value.Kind == yaml.MappingNode {
		merged.Content = slices.Clone(value.Content)
	}
	var misplaced []string
	var first *yaml.Node
	for _, i := range beside(n, key) {
		if first == nil {
			first = n.Content[i]
		}
		misplaced = append(misplaced, clip(n.Content[i].Value))
		merged.Content = append(merged.Content, n.Content[i], n.Content[i+1])
	}
	who, belong := misplaced[0]+" has", "belongs"
	if len(misplaced) > 1 {
		who, belong = fmt.Sprintf("%s and %d more have", misplaced[0], len(misplaced)-1), "belong"
	}
	p.error(first, codeStepIndent, "indent "+strings.Join(misplaced, ", ")+" by two more spaces than "+key.Value,
		"%s the same indent as %s, but %s inside it", who, key.Value, belong)
	return merged
}

func (p *parser) decode(s *sluice.StepSpec, f *fieldset) {
	switch s.Kind {
	case sluice.KindSetWeight:
		s.SetWeight = p.setWeight(f)
	case sluice.KindPause:
		s.Pause = p.pause(f)
	case sluice.KindRunWebhook:
		s.RunWebhook = p.runWebhook(f)
	case sluice.KindAnalysis:
		s.Analysis = p.analysis(f)
	case sluice.KindExposeServices:
		s.ExposeServices = p.exposeServices(f)
	case sluice.KindRunJob:
		s.RunJob = p.runJob(f)
	case sluice.KindWaitFor:
		s.WaitFor = p.waitFor(f)
	case sluice.KindMigrateData:
		s.MigrateData = p.migrateData(f)
	case sluice.KindCheckpointData:
		s.CheckpointData = p.checkpointData(f)
	case sluice.KindVerifyData:
		s.VerifyData = p.verifyData(f)
	case sluice.KindRestoreData:
		s.RestoreData = p.restoreData(f)
	case sluice.KindMaskData:
		s.MaskData = p.maskData(f)
	}
}
