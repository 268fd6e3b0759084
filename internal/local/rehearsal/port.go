package rehearsal

import (
	"fmt"

	"github.com/sluice-cd/sluice"
)

// movedBy is added to a port on which this user may not listen.
const movedBy = 20000

// port returns the port to listen on here. If it is another one, it notes that once.
func (r *rehearser) port(s *sluice.PlannedStep, port int) int {
	if r.options.MayBind(port) {
		return port
	}
	if !r.moved[port] {
		r.moved[port] = true
		r.instead(fmt.Sprintf("port %d", port), fmt.Sprintf("%d, only root may use ports that low", port+movedBy), s.ID)
	}
	return port + movedBy
}

// standInPorts moves the ports of a stand-in.
func (r *rehearser) standInPorts(s *sluice.PlannedStep, ports []int) []int {
	moved := make([]int, len(ports))
	for i, p := range ports {
		moved[i] = r.port(s, p)
	}
	return moved
}

// ports moves the ports of a Service and those behind it.
func (r *rehearser) ports(s *sluice.PlannedStep, service sluice.Object) sluice.Object {
	spec, _ := service["spec"].(map[string]any)
	for _, p := range list(spec, "ports") {
		target, numeric := number(p["targetPort"])
		if p["targetPort"] == nil {
			target, numeric = number(p["port"])
		}
		if numeric {
			p["targetPort"] = int64(r.port(s, target))
		}
		if port, ok := number(p["port"]); ok {
			p["port"] = int64(r.port(s, port))
		}
	}
	if ip := service.Text("spec", "clusterIP"); ip != "" && ip != "None" {
		delete(spec, "clusterIP")
		delete(spec, "clusterIPs")
	}
	return service
}

// portsOf returns the ports that the i-th container declares, moves them, and adds those that its probes ask.
func (r *rehearser) portsOf(s *sluice.PlannedStep, c, workload sluice.Object, i int) []int {
	var ports []int
	for _, p := range list(c, "ports") {
		if n, ok := number(p["containerPort"]); ok {
			ports = union(ports, []int{n})
			p["containerPort"] = int64(r.port(s, n))
		}
	}
	was := containers(workload)[i]
	for _, probe := range []string{"startupProbe", "readinessProbe", "livenessProbe"} {
		for _, how := range []string{"httpGet", "tcpSocket", "grpc"} {
			if n, ok := number(was.Field(probe, how, "port")); ok {
				ports = union(ports, []int{n})
			}
		}
	}
	return ports
}

// targetPorts returns the numbers behind the Services that select the workload's pods.
func targetPorts(workload sluice.Object, all []sluice.Object) []int {
	var ports []int
	for _, o := range all {
		spec, _ := o["spec"].(map[string]any)
		if o.Text("kind") != "Service" || !selects(o, workload) {
			continue
		}
		for _, p := range list(spec, "ports") {
			n, ok := number(p["targetPort"])
			if p["targetPort"] == nil {
				n, ok = number(p["port"])
			}
			if ok && p.Text("protocol") != "UDP" {
				ports = union(ports, []int{n})
			}
		}
	}
	return ports
}

func selects(service, workload sluice.Object) bool {
	selector, _ := service.Field("spec", "selector").(map[string]any)
	for key, value := range selector {
		if workload.Field("spec", "template", "metadata", "labels", key) != value {
			return false
		}
	}
	return len(selector) > 0 && service.Text("metadata", "namespace") == workload.Text("metadata", "namespace")
}

func number(v any) (int, bool) {
	switch n := v.(type) {
	case int64:
		return int(n), n > 0
	case int:
		return n, n > 0
	case float64:
		return int(n), n > 0
	}
	return 0, false
}
