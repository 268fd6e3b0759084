package deployfile

import (
	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice"
)

// traffic reads trafficManagement. An entry with several kinds of traffic becomes several.
func (p *parser) traffic(f *fieldset) []sluice.Traffic {
	var all []sluice.Traffic
	for _, n := range f.items("trafficManagement", "begin each entry with a dash: - targets: […]") {
		m, ok := p.fields(n, "trafficManagement", keysTraffic)
		if !ok {
			continue
		}
		targets := p.targetList(m)
		p.referEach(m, "targets", targets, reference{kind: refTarget, lenient: true})
		all = append(all, p.trafficKinds(m, sluice.Traffic{Pos: p.at(n), Targets: targets})...)
	}
	return all
}

func (p *parser) trafficKinds(m *fieldset, t sluice.Traffic) []sluice.Traffic {
	smi, istio, gateway, kubernetes := t, t, t, t
	smi.SMI = listed(m, "smi", p.smi)
	istio.Istio = listed(m, "istio", p.istio)
	gateway.Gateway = listed(m, "gateway", p.gateway)
	kubernetes.Kubernetes = listed(m, "kubernetes", p.services)
	var all []sluice.Traffic
	for _, t := range []sluice.Traffic{smi, istio, gateway, kubernetes} {
		if t.SMI != nil || t.Istio != nil || t.Gateway != nil || t.Kubernetes != nil {
			all = append(all, t)
		}
	}
	if !m.has("smi") && !m.has("istio") && !m.has("gateway") && !m.has("kubernetes") && len(m.node.Content) <= 2 {
		p.error(m.node, codeMissingKey, "add smi:, istio:, gateway: or kubernetes:", "the entry divides no traffic")
	}
	return all
}

func listed[T any](m *fieldset, key string, read func(*yaml.Node) T) (all []T) {
	for _, n := range m.items(key, "begin each entry with a dash") {
		all = append(all, read(n))
	}
	return all
}

func (p *parser) smi(n *yaml.Node) sluice.SMI {
	f, ok := p.fields(n, "smi", keysSMI)
	if !ok {
		return sluice.SMI{}
	}
	return sluice.SMI{RootServiceName: f.name("rootServiceName", "name the Service that is split"),
		CanaryServiceName: f.text("canaryServiceName"), TrafficSplitName: f.text("trafficSplitName")}
}

func (p *parser) istio(n *yaml.Node) sluice.Istio {
	var t sluice.Istio
	f, ok := p.fields(n, "istio", keysIstio)
	if !ok || !f.need("virtualService", "write virtualService: {name: …}") {
		return t
	}
	if v, ok := f.inner("virtualService", "virtualService"); ok {
		t.VirtualService, t.HTTPRoute = v.name("name", "name the VirtualService"), v.text("httpRouteName")
	}
	if d, ok := f.inner("destinationRule", "destinationRule"); ok {
		t.DestinationRule, t.ActiveSubset, t.CanarySubset = d.name("name", "name the DestinationRule"),
			d.text("activeSubsetName"), d.text("canarySubsetName")
	}
	return t
}

func (p *parser) gateway(n *yaml.Node) sluice.GatewayRoute {
	f, ok := p.fields(n, "gateway", keysGateway)
	if !ok {
		return sluice.GatewayRoute{}
	}
	p.oneOfGiven(f, "httpRoute", "grpcRoute")
	r := sluice.GatewayRoute{Kind: "HTTPRoute", Name: f.text("httpRoute"), Service: f.name("service", "name the Service")}
	if f.has("grpcRoute") {
		r.Kind, r.Name = "GRPCRoute", f.text("grpcRoute")
	}
	return r
}

func (p *parser) services(n *yaml.Node) sluice.BlueGreenServices {
	f, ok := p.fields(n, "kubernetes", keysServices)
	if !ok {
		return sluice.BlueGreenServices{}
	}
	return sluice.BlueGreenServices{ActiveService: f.name("activeService", "name the Service that users reach"),
		PreviewService: f.text("previewService")}
}
