package agent

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

// A targetGroup is an entry of Prometheus's file_sd format.
type targetGroup struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// writeTargets writes the pods that want to be scraped to targets.json if they have changed. The mutex is held.
func (a *Agent) writeTargets() {
	var pods []*pod
	for _, p := range a.pods {
		if p.Annotations["prometheus.io/scrape"] == "true" && !p.ended() && !p.stopping() {
			pods = append(pods, p)
		}
	}
	sortPods(pods)
	groups := []targetGroup{}
	for _, p := range pods {
		groups = append(groups, targetGroup{[]string{scrapeAddress(p)}, scrapeLabels(p)})
	}
	b, err := json.MarshalIndent(groups, "", "  ")
	if err == nil && bytes.Equal(b, a.targets) {
		return
	}
	if err == nil {
		err = writeFile(filepath.Join(a.dir, "targets.json"), b)
	}
	if err != nil {
		a.log.Error("write targets.json", "error", err)
		return
	}
	a.targets = b
}

func scrapeAddress(p *pod) string {
	port := p.Annotations["prometheus.io/port"]
	for _, c := range p.Spec.Containers {
		for _, cp := range c.Ports {
			port = cmp.Or(port, strconv.Itoa(int(cp.ContainerPort)))
		}
	}
	return net.JoinHostPort(p.IP, port)
}

func scrapeLabels(p *pod) map[string]string {
	l := map[string]string{}
	for name, value := range p.Labels {
		l[labelName(name)] = value
	}
	if path := p.Annotations["prometheus.io/path"]; path != "" {
		l["__metrics_path__"] = path
	}
	if p.Owner.Kind == "Deployment" || !p.isOwned() {
		l["replica_set_name"] = cmp.Or(p.Annotations["deploy.armory.io/replica-set-name"], p.replicaSet())
	}
	l["namespace"], l["pod"] = p.Namespace, p.Name
	return l
}

// labelName replaces what Prometheus does not allow in a label's name.
func labelName(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '_'
	}, s)
}
