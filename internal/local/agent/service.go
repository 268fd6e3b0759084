package agent

import (
	"errors"
	"fmt"
	"net"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"golang.org/x/sys/unix"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/proxy"
)

// protocolAnnotation says http or tcp if neither appProtocol nor the port's name does.
const protocolAnnotation = "local.sluice-cd.github.io/protocol"

type portKey struct {
	service key
	port    int32
}

// admitService gives the Service its address. The mutex is held.
func (a *Agent) admitService(e *entry) error {
	s := e.typed.(*corev1.Service)
	asked := s.Spec.ClusterIP
	headless := asked == corev1.ClusterIPNone
	if e.Address == "" {
		used := a.usedAddresses()
		e.Address = asked
		if asked == "" || headless || used[asked] {
			ip, err := a.net.serviceAddress(used)
			if err != nil {
				return err
			}
			e.Address = ip
		}
	}
	if !a.net.owns(e.Address) {
		e := sluice.Errorf(sluice.Unsupported, "the local account cannot give spec.clusterIP %s to Service/%s",
			asked, s.Name).WithHint("leave spec.clusterIP out, or write None")
		e.Field = "spec.clusterIP"
		return e
	}
	showAddress(e)
	return nil
}

// showAddress says in the Service's object which address it has.
func showAddress(e *entry) {
	s := e.typed.(*corev1.Service)
	if s.Spec.ClusterIP != corev1.ClusterIPNone {
		e.Object.Set(e.Address, "spec", "clusterIP")
		e.Object.Set([]any{e.Address}, "spec", "clusterIPs")
	}
	e.Object.Set(map[string]any{"loadBalancer": loadBalancer(s, e.Address)}, "status")
}

func loadBalancer(s *corev1.Service, ip string) map[string]any {
	if s.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return map[string]any{}
	}
	return map[string]any{"ingress": []any{map[string]any{"ip": ip}}}
}

// servePorts makes the Service's ports answer; a dry run only checks whether they could. The mutex is held.
func (a *Agent) servePorts(e *entry, dryRun bool) error {
	if dryRun {
		return a.checkPorts(e)
	}
	return a.listen(e)
}

// reopen opens the ports of an unchanged Service that were taken when the agent started. The mutex is held.
func (a *Agent) reopen(e *entry, dryRun bool) error {
	if e.key().Kind != "Service" {
		return nil
	}
	return a.servePorts(e, dryRun)
}

// checkPorts returns the error of the first port on which the Service could not listen. It takes no port: the address
// of a new Service is reserved by nobody, and the next Service that is applied gets it. The mutex is held.
func (a *Agent) checkPorts(e *entry) error {
	s := e.typed.(*corev1.Service)
	for _, p := range s.Spec.Ports {
		if a.ports[portKey{e.key(), p.Port}] != nil {
			continue
		}
		if err := free(e.Address, p.Port, a.net.spare()); err != nil {
			return listenError(err, "Service/"+s.Name, e.Address, p.Port)
		}
	}
	return nil
}

// listen opens the Service's ports and closes those that it no longer has. The mutex is held.
func (a *Agent) listen(e *entry) error {
	s := e.typed.(*corev1.Service)
	var opened []portKey
	for _, p := range s.Spec.Ports {
		k, address, http := portKey{e.key(), p.Port}, net.JoinHostPort(e.Address, fmt.Sprint(p.Port)), isHTTP(s, p)
		if now := a.ports[k]; now != nil && now.Serves(address, http) {
			continue
		}
		a.closePort(k)
		port, err := proxy.Listen(address, http)
		if err != nil {
			for _, k := range opened {
				a.closePort(k)
			}
			return listenError(err, "Service/"+s.Name, e.Address, p.Port)
		}
		port.Shift(e.share())
		a.ports[k] = port
		opened = append(opened, k)
	}
	a.closeOthers(e)
	return nil
}

// listenError says why a Service or pod cannot listen, and which program holds the port.
func listenError(err error, who, ip string, port int32) error {
	at := net.JoinHostPort(ip, fmt.Sprint(port))
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		by := ""
		if h := holder(ip, port); h != "" {
			by = " by " + h
		}
		return sluice.Errorf(sluice.Exhausted, "%s cannot listen on %s: the port is taken%s", who, at, by).
			WithHint("end the program that listens there, or make it listen on one address only; "+
				"to see all programs on this port: sudo ss -ltnp 'sport = :%d'", port)
	case errors.Is(err, unix.EACCES):
		return sluice.Errorf(sluice.Denied, "%s cannot listen on %s: only root may use ports that low", who, at).
			WithHint("give it a port above 1023, or allow it with: sysctl net.ipv4.ip_unprivileged_port_start=%d", port)
	}
	return sluice.Errorf(sluice.Unavailable, "%s cannot listen on %s: %w", who, at, err)
}

func isHTTP(s *corev1.Service, p corev1.ServicePort) bool {
	if said := s.Annotations[protocolAnnotation]; said != "" {
		return said == "http"
	}
	if p.AppProtocol != nil {
		return *p.AppProtocol == "http"
	}
	return strings.HasPrefix(p.Name, "http") && !strings.HasPrefix(p.Name, "https")
}

func (a *Agent) closePort(k portKey) {
	if p := a.ports[k]; p != nil {
		if err := p.Close(); err != nil {
			a.log.Warn("close port", "service", k.service.Name, "port", k.port, "error", err)
		}
		delete(a.ports, k)
	}
}

// closeOthers closes the ports that the Service no longer has.
func (a *Agent) closeOthers(e *entry) {
	s := e.typed.(*corev1.Service)
	has := map[int32]bool{}
	for _, p := range s.Spec.Ports {
		has[p.Port] = true
	}
	for k := range a.ports {
		if k.service == e.key() && !has[k.port] {
			a.closePort(k)
		}
	}
}

func (a *Agent) closeService(k key) {
	for pk := range a.ports {
		if pk.service == k {
			a.closePort(pk)
		}
	}
}

// route hands the ready pods to the ports of their Services. The mutex is held.
func (a *Agent) route() {
	for _, e := range a.store.list("Service", "") {
		s := e.typed.(*corev1.Service)
		for _, p := range s.Spec.Ports {
			if port := a.ports[portKey{e.key(), p.Port}]; port != nil {
				port.Set(a.endpoints(e, p))
			}
		}
	}
	a.writeTargets()
}

func (a *Agent) endpoints(e *entry, p corev1.ServicePort) []proxy.Endpoint {
	s := e.typed.(*corev1.Service)
	selector := labels.SelectorFromSet(s.Spec.Selector)
	var pods []*pod
	for _, pod := range a.pods {
		if pod.Namespace == s.Namespace && pod.ready() && selector.Matches(labels.Set(pod.Labels)) {
			pods = append(pods, pod)
		}
	}
	sortPods(pods)
	var all []proxy.Endpoint
	for _, pod := range pods {
		port := targetPort(pod, p)
		if port == 0 {
			continue
		}
		all = append(all, proxy.Endpoint{
			Pod: pod.UID, Address: net.JoinHostPort(pod.IP, fmt.Sprint(port)),
			Canary: e.isCanary(pod),
		})
	}
	return all
}

// isCanary reports on which side of the Service's division the pod is.
func (e *entry) isCanary(p *pod) bool {
	if e.Release == "" {
		return p.Labels[sluice.TrackLabel] == sluice.TrackCanary
	}
	return p.Labels[sluice.ReleaseLabel] == e.Release
}

// targetPort returns the pod's port behind the Service's, 0 if the pod has none of that name.
func targetPort(pod *pod, p corev1.ServicePort) int32 {
	if p.TargetPort.Type == intstr.Int {
		if p.TargetPort.IntVal != 0 {
			return p.TargetPort.IntVal
		}
		return p.Port
	}
	for _, c := range pod.containers {
		for _, cp := range c.spec.Ports {
			if cp.Name == p.TargetPort.StrVal {
				return cp.ContainerPort
			}
		}
	}
	return 0
}

// share is the canary's share of the Service's traffic, in the form that its ports take.
func (e *entry) share() int {
	if e.Undivided {
		return proxy.Undivided
	}
	return e.Percent
}

// Shift records the division of a Service's traffic, or that there is none, and applies it.
func (a *Agent) Shift(r ShiftRequest) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.Percent < 0 || r.Percent > 100 {
		return sluice.Errorf(sluice.Invalid, "%d is not a percentage", r.Percent)
	}
	e := a.store.objects[key{"Service", r.Namespace, r.Service}]
	if e == nil {
		return sluice.Errorf(sluice.NotFound, "there is no Service/%s in the namespace %s", r.Service, r.Namespace)
	}
	if e.Percent != r.Percent || e.Release != r.ReleaseLabel || e.Undivided != r.Release {
		e.Percent, e.Release, e.Undivided = r.Percent, r.ReleaseLabel, r.Release
		if err := a.store.put(e); err != nil {
			return err
		}
	}
	a.route()
	for k, port := range a.ports {
		if k.service == e.key() {
			port.Shift(e.share())
		}
	}
	return nil
}

// Address returns where a Service's port answers.
func (a *Agent) Address(r AddressRequest) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.store.objects[key{"Service", r.Namespace, r.Service}]
	if e == nil {
		return "", sluice.Errorf(sluice.NotFound, "there is no Service/%s in the namespace %s", r.Service, r.Namespace)
	}
	if a.ports[portKey{e.key(), int32(r.Port)}] == nil {
		return "", sluice.Errorf(sluice.NotFound, "Service/%s in the namespace %s has no port %d",
			r.Service, r.Namespace, r.Port)
	}
	return net.JoinHostPort(e.Address, fmt.Sprint(r.Port)), nil
}
