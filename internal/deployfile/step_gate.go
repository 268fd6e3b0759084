package deployfile

import (
	"time"

	"github.com/sluice-cd/sluice"
)

const (
	shortestExposure = time.Minute
	longestExposure  = 24 * time.Hour
)

func (p *parser) setWeight(f *fieldset) *sluice.SetWeight {
	if !f.need("weight", "write setWeight: {weight: 10}") {
		return &sluice.SetWeight{}
	}
	w := f.whole("weight", -1)
	if w >= 0 && w < p.weight {
		p.error(f.get("weight"), codeDecreasingWeight, "write at least the weight before it; a rollback lowers weights",
			"the weight goes down from %d to %d", p.weight, w)
	}
	p.weight = max(p.weight, w)
	return &sluice.SetWeight{Weight: w}
}

func (p *parser) pause(f *fieldset) *sluice.Pause {
	s := &sluice.Pause{UntilApproved: f.bool("untilApproved"), RequiresRoles: f.texts("requiresRoles"),
		ApprovalExpiration: f.duration("approvalExpiration"), ApprovedByAnother: f.bool("approvedByAnother")}
	timed := f.has("duration") || f.has("unit")
	switch {
	case s.UntilApproved && timed:
		p.error(f.node, codeBadCombination, "keep either untilApproved or duration and unit",
			"a pause waits for a person or for a time, but this one has both")
	case !s.UntilApproved && !timed:
		p.error(f.node, codeBadCombination, "write untilApproved: true, or duration: 10 and unit: minutes",
			"the pause does not say what it waits for")
	case !s.UntilApproved && (f.has("requiresRoles") || f.has("approvalExpiration") || f.has("approvedByAnother")):
		p.error(f.node, codeBadCombination, "add untilApproved: true, or remove them",
			"requiresRoles, approvalExpiration and approvedByAnother need untilApproved: true")
	case timed:
		s.Duration, _ = f.measured("duration", "unit")
	}
	f.notEmpty("requiresRoles", "name a role, or remove the key to let anyone approve")
	return s
}

func (p *parser) runWebhook(f *fieldset) *sluice.RunWebhook {
	s := &sluice.RunWebhook{Name: f.name("name", "name one of the webhooks of the file"), Context: f.variables(),
		Timeout: f.duration("timeout")}
	p.refer(f, "name", refWebhook, s.Name)
	return s
}

func (p *parser) analysis(f *fieldset) *sluice.Analysis {
	s := &sluice.Analysis{
		Queries:               f.someTexts("queries", "name at least one query of the file's analysis"),
		Runs:                  f.whole("numberOfJudgmentRuns", 0),
		RollBackMode:          f.word("rollBackMode"),
		RollForwardMode:       f.word("rollForwardMode"),
		Provider:              f.text("metricProviderName"),
		Context:               f.variables(),
		Lookback:              f.word("lookbackMethod"),
		AbortOnFailedJudgment: f.bool("abortOnFailedJudgment"),
		OnUnknown:             f.word("onUnknown"),
		UnknownBudget:         f.duration("unknownBudget"),
	}
	f.need("numberOfJudgmentRuns", "write how many intervals are judged, such as numberOfJudgmentRuns: 3")
	s.Interval, _ = f.measured("interval", "units")
	if s.Interval > longest/time.Duration(max(s.Runs, 1)) {
		p.error(f.get("numberOfJudgmentRuns"), codeOutOfRange, "write a shorter interval or fewer runs",
			"the analysis takes %d times %s, which is more than ten years", s.Runs, s.Interval)
	}
	f.ignore("count", "remove it")
	p.referEach(f, "queries", s.Queries, reference{kind: refQuery, provided: s.Provider != ""})
	return s
}

// judgesNothing reports an analysis without queries: real files have some with all queries commented out.
func (p *parser) judgesNothing(f *fieldset) bool {
	if f.keys["queries"] == nil || f.has("queries") {
		return false
	}
	p.warn(f.keys["queries"], codeEmptyAnalysis, "name a query, or remove the step",
		"the analysis names no query, so the step is skipped")
	return true
}

func (p *parser) exposeServices(f *fieldset) *sluice.ExposeServices {
	s := &sluice.ExposeServices{Services: f.someTexts("services", "name at least one Service"), TTL: f.duration("ttl")}
	if s.TTL < shortestExposure || s.TTL > longestExposure {
		p.error(f.keys["ttl"], codeOutOfRange, "write from 1m to 24h", "ttl is %s", s.TTL)
	}
	return s
}
