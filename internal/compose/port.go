package compose

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/sluice-cd/sluice/internal/starter"
)

// A port is one that a service listens on.
type port struct {
	number int
	udp    bool
	http   bool
}

func (p port) name() string {
	name := "tcp-"
	if p.http {
		name = "http-"
	}
	if p.udp {
		name = "udp-"
	}
	return name + strconv.Itoa(p.number)
}

// findPorts finds the ports of each service that others reach.
func (c *conversion) findPorts() {
	c.ports = map[string][]port{}
	for _, name := range slices.Sorted(maps.Keys(c.project.Services)) {
		if c.jobs[name] {
			continue
		}
		s := c.project.Services[name]
		c.published(s)
		c.exposed(s)
		if len(c.ports[name]) == 0 {
			c.used(s)
		}
	}
}

// hosts returns the services that others reach.
func (c *conversion) hosts() []string { return slices.Sorted(maps.Keys(c.ports)) }

// addPort reports whether the service did not have the port yet.
func (c *conversion) addPort(service string, p port) bool {
	same := func(other port) bool { return other.number == p.number && other.udp == p.udp }
	if slices.ContainsFunc(c.ports[service], same) {
		return false
	}
	c.ports[service] = append(c.ports[service], p)
	return true
}

// usual are ports that mostly serve HTTP.
var usual = []int{80, 3000, 5000, 8000, 8080}

func (c *conversion) speaksHTTP(s types.ServiceConfig, number int) bool {
	_, checked, ok := httpCheck(s)
	return slices.Contains(usual, number) || ok && checked == number
}

func (c *conversion) published(s types.ServiceConfig) {
	for i, p := range s.Ports {
		number := int(p.Target)
		isHTTP := p.AppProtocol == "http" || p.AppProtocol == "" && c.speaksHTTP(s, number)
		c.addPort(s.Name, port{number: number, udp: p.Protocol == "udp", http: isHTTP && p.Protocol != "udp"})
		if p.HostIP != "" || p.Mode == "host" {
			c.leaveOut(c.path(s.Name, "ports", i), "add an Ingress, or a Service of type NodePort or LoadBalancer",
				"the address of this machine for port %d of %s is left out", number, s.Name)
		}
		if p.Published != "" && p.Published != strconv.Itoa(number) {
			c.guess("the Service %s has the port %d of its program, not the published port %s", s.Name, number, p.Published)
		}
	}
}

func (c *conversion) exposed(s types.ServiceConfig) {
	for i, text := range s.Expose {
		number, protocol, _ := strings.Cut(text, "/")
		from, to, isRange := strings.Cut(number, "-")
		first, err := strconv.Atoi(from)
		last := first
		if isRange && err == nil {
			last, err = strconv.Atoi(to)
		}
		if err != nil || last-first > 100 {
			c.refuse(c.path(s.Name, "expose", i), "write it like 8080", "%q is no port", text)
			continue
		}
		for n := first; n <= last; n++ {
			c.addPort(s.Name, port{number: n, udp: protocol == "udp", http: protocol != "udp" && c.speaksHTTP(s, n)})
		}
	}
}

// used finds the ports at which other services reach one that declares none.
func (c *conversion) used(s types.ServiceConfig) {
	pattern := regexp.MustCompile(`(?:^|[/@,=\s"'])` + regexp.QuoteMeta(s.Name) + `:(\d{1,5})\b`)
	for _, name := range slices.Sorted(maps.Keys(c.project.Services)) {
		for _, text := range texts(c.project.Services[name]) {
			for _, m := range pattern.FindAllStringSubmatch(text, -1) {
				c.guessPort(s, m[1], "where "+name+" reaches it")
			}
		}
	}
	if len(c.ports[s.Name]) == 0 && starter.IsMongo(s.Image) {
		c.guessPort(s, "27017", "as every MongoDB server")
	}
}

func (c *conversion) guessPort(s types.ServiceConfig, text, why string) {
	number, err := strconv.Atoi(text)
	if err != nil || !c.addPort(s.Name, port{number: number, http: c.speaksHTTP(s, number)}) {
		return
	}
	c.guess("%s has the port %d, %s", s.Name, number, why)
}

// texts returns where a service may name another one.
func texts(s types.ServiceConfig) []string {
	all := slices.Concat(s.Entrypoint, s.Command)
	for _, name := range slices.Sorted(maps.Keys(s.Environment)) {
		if v := s.Environment[name]; v != nil {
			all = append(all, *v)
		}
	}
	return all
}

func serviceOf(name string, ports []port) object {
	var list []object
	for _, p := range ports {
		entry := object{"name": p.name(), "port": p.number, "targetPort": p.number}
		if p.udp {
			entry["protocol"] = "UDP"
		}
		list = append(list, entry)
	}
	return object{
		"apiVersion": "v1", "kind": "Service", "metadata": object{"name": name},
		"spec": object{"selector": object{"app": name}, "ports": list},
	}
}

func containerPorts(ports []port) (list []object) {
	for _, p := range ports {
		entry := object{"containerPort": p.number}
		if p.udp {
			entry["protocol"] = "UDP"
		}
		list = append(list, entry)
	}
	return list
}
