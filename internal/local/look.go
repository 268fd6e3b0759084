package local

import (
	"context"
	"net/http"

	"github.com/sluice-cd/sluice/internal/local/agent"
)

// look finds out who answers for an account that is only looked at: its agent, or its directory. A silent agent is
// waited for once. The mutex is held.
func (a *Account) look(ctx context.Context) error {
	if a.answers(ctx) {
		if a.isSilent(ctx) {
			a.silent = a.silence()
		}
		a.dialed = ctx.Err() == nil
		return a.silent
	}
	rest, err := agent.AtRest(a.config.Dir, a.config.Images)
	if err != nil {
		return err
	}
	a.client, a.dialed = &http.Client{Transport: rest}, true
	return nil
}
