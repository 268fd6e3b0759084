package agent

import (
	"errors"

	corev1 "k8s.io/api/core/v1"

	"golang.org/x/sys/unix"
)

// freePorts returns an error if another process listens on a port of the container, and names that process. Probes and
// Services would take it for the container. Whether the program may listen there, it finds out itself.
func (a *Agent) freePorts(p *pod, c *container) error {
	for _, port := range declaredPorts(c.spec, len(p.containers) == 1) {
		if err := free(p.IP, port, a.net.spare()); errors.Is(err, unix.EADDRINUSE) {
			return listenError(err, "container "+c.spec.Name, p.IP, port)
		}
	}
	return nil
}

// declaredPorts are the TCP ports that the container's spec names by number. Its probes may ask another container of
// the pod, so they count only if it is the only one.
func declaredPorts(spec corev1.Container, alone bool) []int32 {
	var ports []int32
	for _, p := range spec.Ports {
		if p.Protocol == "" || p.Protocol == corev1.ProtocolTCP {
			ports = append(ports, p.ContainerPort)
		}
	}
	for _, probe := range []*corev1.Probe{spec.StartupProbe, spec.ReadinessProbe, spec.LivenessProbe} {
		if n := probedPort(probe); n > 0 && alone {
			ports = append(ports, n)
		}
	}
	return ports
}

// probedPort returns 0 if the probe asks no port, or names one, which is declared then.
func probedPort(p *corev1.Probe) int32 {
	switch {
	case p == nil:
		return 0
	case p.TCPSocket != nil:
		return p.TCPSocket.Port.IntVal
	case p.HTTPGet != nil:
		return p.HTTPGet.Port.IntVal
	}
	return 0
}
