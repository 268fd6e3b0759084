package deployfile

import (
	"github.com/sluice-cd/sluice"
)

func (p *parser) analysisConfig(f *fieldset) sluice.AnalysisConfig {
	c := sluice.AnalysisConfig{Queries: map[string]sluice.Query{}}
	m, ok := f.inner("analysis", "analysis")
	if !ok {
		return c
	}
	c.DefaultProvider = m.text("defaultMetricProviderName")
	p.oldNames(&c, m)
	m.need("queries", "list the queries, or remove analysis:")
	for _, q := range m.maps("queries", "the query", "begin each query with a dash: - name: errors") {
		p.query(&c, q)
	}
	return c
}

// oldNames accepts the keys that files of 2021 have instead of defaultMetricProviderName.
func (p *parser) oldNames(c *sluice.AnalysisConfig, m *fieldset) {
	m.ignore("defaultType", "remove it")
	if !m.has("defaultAccount") {
		return
	}
	p.warn(m.keys["defaultAccount"], codeIgnoredKey, "write defaultMetricProviderName:",
		"defaultAccount is the old name of defaultMetricProviderName")
	if c.DefaultProvider == "" {
		c.DefaultProvider = m.text("defaultAccount")
	}
}

func (p *parser) query(c *sluice.AnalysisConfig, f *fieldset) {
	q := sluice.Query{Pos: p.at(f.node), Name: f.name("name", "name the query")}
	if q.Name != "" {
		f.what = "the query " + clip(q.Name)
	}
	q.Template = f.name("queryTemplate", "write the query that the provider is asked")
	q.Lower, q.Upper = f.number("lowerLimit"), f.number("upperLimit")
	q.Provider = f.text("metricProviderName")
	p.limits(f, q)
	f.ignore("aggregationMethod", "remove it, and aggregate in the query")
	if _, twice := c.Queries[q.Name]; twice && q.Name != "" {
		p.error(f.get("name"), codeDuplicateName, "rename one of them", "there are two queries %s", clip(q.Name))
		return
	}
	c.Queries[q.Name] = q
}

func (p *parser) limits(f *fieldset, q sluice.Query) {
	if !f.has("lowerLimit") && !f.has("upperLimit") {
		p.error(f.node, codeMissingKey, "add upperLimit: or lowerLimit:", "%s has no limit, so it cannot fail", f.what)
	}
	if q.Lower != nil && q.Upper != nil && *q.Lower > *q.Upper {
		p.error(f.keys["lowerLimit"], codeOutOfRange, "swap the limits", "the lower limit %g is above the upper limit %g",
			*q.Lower, *q.Upper)
	}
}
