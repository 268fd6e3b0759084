package plan_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/tools/txtar"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/deployfile"
	"github.com/sluice-cd/sluice/internal/plan"
)

// Every field of trafficManagement, of a blue/green strategy and of a webhook reaches the plan.
func TestFieldsReachThePlan(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/traffic.txtar")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := os.WriteFile(root+"/shop.yaml", archive.Files[1].Data, 0o600); err != nil {
		t.Fatal(err)
	}
	text := string(archive.Files[0].Data) + `
webhooks:
  - name: hook
    method: PUT
    uriTemplate: https://example.com/{{armory.namespace}}
    networkMode: remoteNetworkAgent
    agentIdentifier: agent
    headers: [{key: Accept, value: text/plain}]
    bodyTemplate: {inline: body}
    retryCount: 3
    disableCallback: true
    timeout: 30s
`
	spec, ds := deployfile.Parse("deploy.yaml", []byte(text))
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	spec.Targets[0].AfterDeployment = []sluice.StepSpec{{Kind: sluice.KindRunWebhook,
		RunWebhook: &sluice.RunWebhook{Name: "hook"}}}
	p, ds := plan.Compile(spec, plan.Options{Root: root})
	if p == nil {
		t.Fatal(ds)
	}
	got := map[string][]sluice.Traffic{}
	for _, target := range p.Targets {
		got[target.Name] = target.Traffic
	}
	want := map[string][]sluice.Traffic{
		"meshed": {
			{SMI: []sluice.SMI{{RootServiceName: "shop", CanaryServiceName: "shop-canary", TrafficSplitName: "shop"}}},
			{Istio: []sluice.Istio{{VirtualService: "vs", HTTPRoute: "r", DestinationRule: "dr", ActiveSubset: "a",
				CanarySubset: "c"}}},
			{Gateway: []sluice.GatewayRoute{{Kind: "HTTPRoute", Name: "shop", Service: "shop"},
				{Kind: "GRPCRoute", Name: "orders", Service: "orders"}}},
		},
		"blue": {{Kubernetes: []sluice.BlueGreenServices{{ActiveService: "shop", PreviewService: "look"},
			{ActiveService: "admin"}}}},
		"old": {{Kubernetes: []sluice.BlueGreenServices{{ActiveService: "shop", PreviewService: "shop-preview"}}}},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(sluice.Traffic{}, "Pos", "Targets")); diff != "" {
		t.Errorf("traffic (-want +got):\n%s", diff)
	}
	hook, _ := p.Step("meshed/after/0")
	wantHook := sluice.Webhook{Name: "hook", Method: "PUT", URITemplate: "https://example.com/{{armory.namespace}}",
		NetworkMode:     "remoteNetworkAgent",
		AgentIdentifier: "agent", Headers: []sluice.Header{{Key: "Accept", Value: "text/plain"}}, Body: "body", RetryCount: 3,
		DisableCallback: true, Timeout: 30e9}
	if diff := cmp.Diff(wantHook, *hook.RunWebhook.Webhook, cmpopts.IgnoreFields(sluice.Webhook{}, "Pos")); diff != "" {
		t.Errorf("webhook (-want +got):\n%s", diff)
	}
}
