package bootstrap

import (
	"context"
	"maps"
	"net/http"
	"sync"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/access"
	"github.com/sluice-cd/sluice/internal/config"
	"github.com/sluice-cd/sluice/internal/step"
)

// current is what sluice.yaml says now about metric providers, secrets and webhooks. It looks at the file whenever it
// is used. While the file has mistakes, the previous content holds. It is safe for concurrent use.
type current struct {
	dir  StateDir
	file string // "": the configuration never changes
	note func(format string, args ...any)

	mu      sync.Mutex
	content string // of the file when it was last looked at, or why it could not be read
	config  *config.Config
	metrics map[string]sluice.Metrics
	http    *http.Client
}

var _ sluice.Secrets = (*current)(nil)

// Secret returns the value of the secret of that name.
func (c *current) Secret(ctx context.Context, name string) (string, error) {
	c.mu.Lock()
	c.refresh()
	secrets := c.dir.redactor.Secrets(c.config.Secrets)
	c.mu.Unlock()
	return secrets.Secret(ctx, name)
}

// roles returns the roles that callers of a server may have.
func (c *current) roles() []access.Role {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refresh()
	return c.config.Server.Roles
}

// into returns the dependencies with what the configuration says now.
func (c *current) into(d step.Deps) step.Deps {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refresh()
	d.Metrics, d.HTTP, d.Replace = c.metrics, c.http, c.config.Webhooks.Replace
	return d
}

// use takes over the configuration. If it returns an error, the previous one stays.
func (c *current) use(next *config.Config) error {
	providers, err := c.dir.metrics(next)
	if err != nil {
		return err
	}
	if c.http != nil {
		c.http.CloseIdleConnections()
	}
	c.config, c.metrics, c.http = next, providers, webhookClient(next.Webhooks)
	return nil
}

// refresh reads the file if its content has changed, and notes once what is wrong with it.
func (c *current) refresh() {
	if c.file == "" {
		return
	}
	data, err := config.Read(c.file)
	content := string(data)
	if err != nil {
		content = err.Error()
	}
	if content == c.content {
		return
	}
	c.content = content
	if err == nil {
		err = c.replace(data)
	}
	if err != nil {
		c.note("warning: %s has changed and cannot be used; the previous content stays in use: %v", c.file, err)
	}
}

// replace uses the new content. What was removed stays in use: running deployments were planned with it.
func (c *current) replace(data []byte) error {
	c.dir.redactor.LearnURLs(string(data)) // what is wrong may be quoted
	next, ds := config.Parse(c.file, data)
	if ds.HasErrors() {
		return ds
	}
	c.dir.redactor.LearnSources(next)
	next.Metrics = merged(c.config.Metrics, next.Metrics)
	next.Secrets = merged(c.config.Secrets, next.Secrets)
	return c.use(next)
}

func merged[V any](before, now map[string]V) map[string]V {
	all := maps.Clone(before)
	maps.Copy(all, now)
	return all
}

// live makes steps that use what the configuration says when they are made, which is before each of their verbs.
type live struct {
	*current
	deps step.Deps
}

// New makes the step.
func (l live) New(sc sluice.StepContext) (sluice.Step, error) {
	return step.New(l.into(l.deps)).New(sc)
}
