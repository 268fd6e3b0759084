package service

import (
	"context"
	"slices"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/history"
)

// History returns the past of each target of the application, of all applications if it is "", in the order of their
// names. Rehearsals do not count. NotFound: there is no such application.
func History(ctx context.Context, log sluice.Log, application string) ([]history.Past, error) {
	list, err := log.Deployments(ctx, application)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 && application != "" {
		return nil, sluice.Errorf(sluice.NotFound, "nothing was deployed of an application %q", application).
			WithHint("see the applications with: sluice history")
	}
	var applications []string
	for _, d := range list {
		applications = append(applications, d.Application)
	}
	slices.Sort(applications)
	var all []history.Past
	for _, name := range slices.Compact(applications) {
		h, err := history.Read(ctx, log, name, false, func(*history.History) bool { return false })
		if err != nil {
			return nil, err
		}
		for _, target := range h.Targets() {
			all = append(all, history.Past{Application: name, Target: target, Releases: h.Target(target)})
		}
	}
	return all, nil
}
