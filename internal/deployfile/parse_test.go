package deployfile_test

import (
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/deployfile"
)

func number(x float64) *float64 { return &x }

// Everything that a deploy file can say arrives in the spec, with defaults filled in.
func TestParseEverything(t *testing.T) {
	data, err := os.ReadFile("testdata/design.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got, ds := deployfile.Parse("design.yaml", data)
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	want := &sluice.Spec{
		Application: "shop", Description: "a small shop", Context: map[string]string{"team": "orders", "retries": "3"},
		Config:    sluice.DeploymentConfig{Timeout: 10 * time.Minute, KeepDeploymentObject: true, InProgress: "enqueueOne"},
		Targets:   []sluice.Target{wantStaging(), wantProduction()},
		Manifests: []sluice.ManifestSource{{Path: "manifests"}, {Inline: "{}\n", Targets: []string{"staging"}}},
		Strategies: map[string]sluice.Strategy{
			"rolling": {Canary: &sluice.Canary{Steps: []sluice.StepSpec{{Kind: sluice.KindSetWeight,
				SetWeight: &sluice.SetWeight{Weight: 100}}}}},
			"canary": {Canary: &sluice.Canary{Steps: wantCanary()}},
			"blue": {BlueGreen: &sluice.BlueGreen{ActiveService: "shop", RedirectTrafficAfter: []sluice.StepSpec{
				{Kind: sluice.KindPause, Pause: &sluice.Pause{Duration: 30 * time.Second}}}}},
		},
		Analysis: sluice.AnalysisConfig{DefaultProvider: "prometheus", Queries: map[string]sluice.Query{
			"errors": {Name: "errors", Template: "sum(errors)", Lower: number(0.5), Upper: number(1)}}},
		Webhooks: map[string]sluice.Webhook{"tests": {Name: "tests", Method: "POST", URITemplate: "{{secrets.url}}",
			NetworkMode: "direct",
			Headers:     []sluice.Header{{Key: "Accept", Value: "text/plain"}}, Body: "{}", RetryCount: 3,
			Timeout: 30 * time.Second}},
		Traffic: []sluice.Traffic{
			{Targets: []string{"production"}, SMI: []sluice.SMI{{RootServiceName: "shop"}}},
			{Targets: []string{"production"}, Istio: []sluice.Istio{{VirtualService: "vs", HTTPRoute: "r", DestinationRule: "dr",
				ActiveSubset: "a", CanarySubset: "c"}}},
			{Gateway: []sluice.GatewayRoute{{Kind: "HTTPRoute", Name: "shop", Service: "shop"},
				{Kind: "GRPCRoute", Name: "orders", Service: "orders"}}},
			{Kubernetes: []sluice.BlueGreenServices{{ActiveService: "shop", PreviewService: "shop-preview"}}},
		},
		Datasets: map[string]sluice.Dataset{"orders": {Name: "orders", Engine: "mongodb", Workload: "StatefulSet/mongo",
			Claims: []string{"mongo-data"},
			URI:    "mongodb://{{secrets.user}}@mongo:27017/shop", Quiesce: sluice.Quiesce{Mode: "auto"}, Mover: "kopia",
			Invariants: []sluice.Invariant{
				{Name: "no order is lost", Count: "orders", AtLeast: &sluice.Bound{Baseline: true}},
				{Name: "money", Sum: "orders", Field: "total", AtMost: &sluice.Bound{Value: 1e6}},
			}}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreTypes(sluice.Position{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("wanted (-), got (+):\n%s", diff)
	}
}

func wantStaging() sluice.Target {
	return sluice.Target{
		Name: "staging", Account: "local", Namespace: "staging", Strategy: "rolling", AfterFailure: "rollBack",
		BeforeDeployment: []sluice.StepSpec{{Kind: sluice.KindMigrateData, MigrateData: &sluice.MigrateData{Dataset: "orders",
			From: "production"}}},
		AfterDeployment: []sluice.StepSpec{
			{Kind: sluice.KindSequence, Sequence: []sluice.StepSpec{
				{Kind: sluice.KindVerifyData, VerifyData: &sluice.VerifyData{Dataset: "orders", Baseline: "migration",
					Mode: "equal", Ignore: []string{"orders.updated"}}},
				{Kind: sluice.KindRunJob, RunJob: &sluice.RunJob{Name: "integration", Path: "tests/job.yaml",
					Timeout: 5 * time.Minute}},
			}},
			{Kind: sluice.KindWaitFor, WaitFor: &sluice.WaitFor{Object: "Migration.stork.libopenstorage.org/one",
				JSONPath: "{.status.status}",
				Value:    "Successful", FailWhen: []sluice.FailWhen{{JSONPath: "{.status.status}", Value: "Failed"}},
				Timeout: time.Hour}},
		},
	}
}

func wantProduction() sluice.Target {
	return sluice.Target{
		Name: "production", Account: "local", Namespace: "production", Strategy: "canary", DependsOn: []string{"staging"},
		AfterFailure: "keep",
		BeforeDeployment: []sluice.StepSpec{
			{Kind: sluice.KindCheckpointData, CheckpointData: &sluice.CheckpointData{Dataset: "orders", Keep: 5,
				TTL: 24 * time.Hour}},
			{Kind: sluice.KindPause, Pause: &sluice.Pause{UntilApproved: true, RequiresRoles: []string{"ops"},
				ApprovalExpiration: time.Hour}},
		},
		OnRollback: []sluice.StepSpec{{Kind: sluice.KindRestoreData, RestoreData: &sluice.RestoreData{Dataset: "orders",
			AllowDataLoss: &sluice.AllowDataLoss{Writes: 10, Age: time.Minute}}}},
	}
}

func wantCanary() []sluice.StepSpec {
	return []sluice.StepSpec{
		{Kind: sluice.KindSetWeight, SetWeight: &sluice.SetWeight{Weight: 10}},
		{Kind: sluice.KindAnalysis, Analysis: &sluice.Analysis{Queries: []string{"errors"}, Interval: 10 * time.Second,
			Runs: 3, Lookback: "sliding",
			RollBackMode: "automatic", RollForwardMode: "automatic", OnUnknown: "rollBack", UnknownBudget: time.Minute}},
		{Kind: sluice.KindRunWebhook, RunWebhook: &sluice.RunWebhook{Name: "tests", Context: map[string]string{"a": "b"},
			Timeout: 24 * time.Hour}},
		{Kind: sluice.KindExposeServices, ExposeServices: &sluice.ExposeServices{Services: []string{"shop"},
			TTL: 5 * time.Minute}},
	}
}

// Positions are those of what a person would point at.
func TestPositions(t *testing.T) {
	data, err := os.ReadFile("testdata/design.yaml")
	if err != nil {
		t.Fatal(err)
	}
	spec, _ := deployfile.Parse("design.yaml", data)
	for what, p := range map[string]struct {
		got  sluice.Position
		want string
	}{
		"target":   {spec.Targets[0].Pos, "design.yaml:22:3"},
		"step":     {spec.Targets[0].BeforeDeployment[0].Pos, "design.yaml:28:11"},
		"manifest": {spec.Manifests[0].Pos, "design.yaml:52:11"},
		"query":    {spec.Analysis.Queries["errors"].Pos, "design.yaml:70:7"},
		"dataset":  {spec.Datasets["orders"].Pos, "design.yaml:11:3"},
	} {
		if p.got.String() != p.want {
			t.Errorf("%s is at %s, want %s", what, p.got, p.want)
		}
	}
}
