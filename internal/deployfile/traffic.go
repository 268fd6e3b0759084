package deployfile

import "github.com/sluice-cd/sluice"

// traffic reads trafficManagement. An entry with several kinds of traffic becomes several.
func (p *parser) traffic(f *fieldset) []sluice.Traffic {
	var all []sluice.Traffic
	for _, m := range f.maps("trafficManagement", "trafficManagement", "begin each entry with a dash: - targets: […]") {
		targets := p.targetList(m)
		p.referEach(m, "targets", targets, reference{kind: refTarget, lenient: true})
		all = append(all, p.trafficKinds(m, sluice.Traffic{Pos: p.at(m.node), Targets: targets})...)
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

func listed[T any](m *fieldset, key string, read func(*fieldset) T) (all []T) {
	for _, entry := range m.maps(key, key, "begin each entry with a dash") {
		all = append(all, read(entry))
	}
	return all
}

func (p *parser) smi(f *fieldset) sluice.SMI {
	s := sluice.SMI{RootServiceName: f.name("rootServiceName", "name the Service that is split"),
		CanaryServiceName: f.text("canaryServiceName"), TrafficSplitName: f.text("trafficSplitName")}
	if n := len(s.RootServiceName + "-canary"); s.CanaryServiceName == "" && n > serviceName.longest &&
		len(s.RootServiceName) <= serviceName.longest {
		p.error(f.get("rootServiceName"), codeBadName, "write a shorter canaryServiceName:",
			"the name of its canary, which ends with -canary, would have %d characters, more than %d", n, serviceName.longest)
	}
	return s
}

func (p *parser) istio(f *fieldset) sluice.Istio {
	var t sluice.Istio
	if !f.need("virtualService", "write virtualService: {name: …}") {
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

func (p *parser) gateway(f *fieldset) sluice.GatewayRoute {
	p.oneOfGiven(f, "httpRoute", "grpcRoute")
	r := sluice.GatewayRoute{Kind: "HTTPRoute", Name: f.text("httpRoute"), Service: f.name("service", "name the Service")}
	if f.has("grpcRoute") {
		r.Kind, r.Name = "GRPCRoute", f.text("grpcRoute")
	}
	return r
}

func (p *parser) services(f *fieldset) sluice.BlueGreenServices {
	return sluice.BlueGreenServices{ActiveService: f.name("activeService", "name the Service that users reach"),
		PreviewService: f.text("previewService")}
}
