package plan

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-cd/sluice"
)

// Describe says briefly what a step does, after its name if it has one.
func Describe(s sluice.PlannedStep) string {
	if s.Name != "" {
		return s.Name + " (" + describe(s) + ")"
	}
	return describe(s)
}

func describe(s sluice.PlannedStep) string {
	switch {
	case s.Apply != nil && s.Apply.Canary:
		return "apply beside the old version " + kinds(s.Apply.Objects)
	case s.Apply != nil:
		return "apply " + kinds(s.Apply.Objects)
	case s.Promote != nil:
		return "the new version takes over"
	case s.Prune != nil:
		return fmt.Sprintf("delete what the release no longer has, out of %s of earlier releases",
			count(len(s.Prune.Objects), "object"))
	case s.SetWeight != nil && len(s.SetWeight.Services) > 0:
		return fmt.Sprintf("show the new version at %s", strings.Join(s.SetWeight.Services, ", "))
	case s.SetWeight != nil:
		return fmt.Sprintf("%d %% of the traffic to the new version", s.SetWeight.Weight)
	case s.Pause != nil:
		return describePause(*s.Pause)
	case s.RunWebhook != nil && s.RunWebhook.Webhook != nil && s.RunWebhook.Webhook.DisableCallback:
		return fmt.Sprintf("call webhook %q", s.RunWebhook.Name)
	case s.RunWebhook != nil:
		return fmt.Sprintf("call webhook %q and wait for its callback", s.RunWebhook.Name)
	case s.Analysis != nil:
		a := s.Analysis
		return fmt.Sprintf("judge %s, %s of %s each", strings.Join(a.Queries, ", "), count(a.Runs, "interval"),
			Span(a.Interval))
	case s.ExposeServices != nil:
		return fmt.Sprintf("expose %s for %s", strings.Join(s.ExposeServices.Services, ", "), Span(s.ExposeServices.TTL))
	case s.RunJob != nil:
		return "run job " + s.RunJob.Name
	case s.WaitFor != nil:
		return "wait for " + s.WaitFor.Object
	}
	return describeData(s)
}

func describeData(s sluice.PlannedStep) string {
	switch {
	case s.MigrateData != nil && len(s.MigrateData.Mask) > 0:
		return fmt.Sprintf("copy %s from %s, with %s masked", s.MigrateData.Dataset, s.MigrateData.From,
			count(len(s.MigrateData.Mask.Rewritten()), "field"))
	case s.MigrateData != nil:
		return fmt.Sprintf("copy %s from %s", s.MigrateData.Dataset, s.MigrateData.From)
	case s.CheckpointData != nil:
		return "checkpoint " + s.CheckpointData.Dataset
	case s.VerifyData != nil && s.VerifyData.Mode == "loss":
		return fmt.Sprintf("verify %s: nothing of the %s is lost", s.VerifyData.Dataset, s.VerifyData.Baseline)
	case s.VerifyData != nil:
		return fmt.Sprintf("verify %s: equal to the %s", s.VerifyData.Dataset, s.VerifyData.Baseline)
	case s.RestoreData != nil:
		return fmt.Sprintf("restore the checkpoint of %s", s.RestoreData.Dataset)
	}
	return string(s.Kind)
}

func describePause(p sluice.Pause) string {
	if !p.UntilApproved {
		return "pause " + Span(p.Duration)
	}
	text := "wait for approval"
	if len(p.RequiresRoles) > 0 {
		text += " by " + strings.Join(p.RequiresRoles, " or ")
	}
	if p.ApprovedByAnother {
		text += ", of another person than who started it"
	}
	if p.ApprovalExpiration > 0 {
		text += ", at most " + Span(p.ApprovalExpiration)
	}
	return text
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Span writes a duration without empty units: 90s as 1m30s, 1h0m0s as 1h.
func Span(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func describeTraffic(t sluice.Traffic) string {
	var by []string
	for _, s := range t.SMI {
		by = append(by, "TrafficSplit "+s.TrafficSplitName+" of "+s.RootServiceName+" and "+s.CanaryServiceName)
	}
	for _, i := range t.Istio {
		by = append(by, "VirtualService "+i.VirtualService)
	}
	for _, g := range t.Gateway {
		by = append(by, g.Kind+" "+g.Name+" to "+g.Service)
	}
	for _, k := range t.Kubernetes {
		by = append(by, "Service "+cmp.Or(k.ActiveService, k.PreviewService))
	}
	return "traffic: " + strings.Join(by, ", ")
}
