package compose

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// probe returns when a pod of the service is ready: when its health check succeeds, otherwise when its port is open.
func (c *conversion) probe(s types.ServiceConfig) object {
	h := s.HealthCheck
	if h != nil && (h.Disable || slices.Equal(h.Test, []string{"NONE"})) {
		return nil
	}
	if h == nil || len(h.Test) == 0 {
		return c.openPort(s)
	}
	probe := object{}
	if path, number, ok := httpCheck(s); ok {
		probe["httpGet"] = object{"path": path, "port": number}
		c.guess("%s is ready when %s answers at port %d", s.Name, path, number)
	} else {
		probe["exec"] = object{"command": testCommand(h.Test)}
	}
	if h.Interval != nil {
		probe["periodSeconds"] = seconds(h.Interval)
	}
	if h.Timeout != nil {
		probe["timeoutSeconds"] = seconds(h.Timeout)
	}
	if h.Retries != nil {
		probe["failureThreshold"] = *h.Retries
	}
	return probe
}

func (c *conversion) openPort(s types.ServiceConfig) object {
	ports := c.ports[s.Name]
	i := slices.IndexFunc(ports, func(p port) bool { return !p.udp })
	if i < 0 {
		return nil
	}
	c.guess("%s is ready when its port %d is open, because it has no healthcheck", s.Name, ports[i].number)
	return object{"tcpSocket": object{"port": ports[i].number}, "periodSeconds": 2}
}

func testCommand(test []string) []string {
	if test[0] == "CMD-SHELL" {
		return append([]string{"/bin/sh", "-c"}, test[1:]...)
	}
	return test[1:]
}

var (
	ownURL   = regexp.MustCompile(`http://(?:localhost|127\.0\.0\.1|0\.0\.0\.0)(?::(\d+))?(/[^\s"'|;&]*)?`)
	orFail   = regexp.MustCompile(`\|\|\s*(exit\s+1|false)\s*$`)
	fetchers = regexp.MustCompile(`^(\S*/)?(curl|wget)\s`)
)

// httpCheck returns the path and the port of a health check that only fetches one page of its own container.
func httpCheck(s types.ServiceConfig) (path string, number int, ok bool) {
	if s.HealthCheck == nil || len(s.HealthCheck.Test) < 2 {
		return "", 0, false
	}
	line := orFail.ReplaceAllString(strings.Join(s.HealthCheck.Test[1:], " "), "")
	m := ownURL.FindStringSubmatch(line)
	if m == nil || !fetchers.MatchString(line) || strings.ContainsAny(line, "|;&") {
		return "", 0, false
	}
	number = 80
	if m[1] != "" {
		number, _ = strconv.Atoi(m[1])
	}
	if path = m[2]; path == "" {
		path = "/"
	}
	return path, number, true
}
