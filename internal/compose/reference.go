package compose

import (
	"regexp"
	"strings"
)

// words returns the words of a command, with references where they name an address.
func (c *conversion) words(service string, words []string) (list []string) {
	for _, word := range words {
		list = append(list, c.references(service, "the command", word))
	}
	return list
}

var (
	anyAddress = regexp.MustCompile(`\b0\.0\.0\.0\b`)
	portAlone  = regexp.MustCompile(`(^|=)(:\d+)$`)
	hostNames  = regexp.MustCompile(`(HOST|HOSTNAME|ADDR|ADDRESS|SERVER)$`)
)

// references replaces the names of services by the variables that Kubernetes sets, because not every account resolves
// names, and the address for "everywhere" by the pod's own, which is as good and free on every machine.
func (c *conversion) references(service, where, text string) string {
	text = escaped(text)
	own := portAlone.ReplaceAllString(anyAddress.ReplaceAllLiteralString(text, "$(POD_IP)"), "$1$$(POD_IP)$2")
	if own != text {
		c.listens[service] = true
		c.guess("%s of %s listens on $(POD_IP), its pod's own address", where, service)
	}
	for _, host := range c.hosts() {
		named := own
		for _, pattern := range hostPatterns(host, where) {
			named = pattern.ReplaceAllString(named, "$1$$("+variable(host)+")$2")
		}
		if named != own {
			c.guess("%s of %s names the host %s as $(%s): not every account resolves names", where, service, host,
				variable(host))
		}
		own = named
	}
	return own
}

// escaped keeps Kubernetes from replacing what looks like a reference.
func escaped(text string) string { return strings.ReplaceAll(text, "$(", "$$(") }

// hostPatterns find a service in a text: as the host of a URL and not as its user, before a port, and alone where a
// host is expected.
func hostPatterns(host, where string) []*regexp.Regexp {
	name := regexp.QuoteMeta(host)
	patterns := []*regexp.Regexp{
		regexp.MustCompile(`(//)` + name + `((?:[:/?,][^@\s]*)?(?:\s|$))`),
		regexp.MustCompile(`(@)` + name + `([:/?,]|$)`),
		regexp.MustCompile(`(^|[=,\s"'])` + name + `(:\d+)`),
	}
	if hostNames.MatchString(where) {
		patterns = append(patterns, regexp.MustCompile(`(^)`+name+`($)`))
	}
	return patterns
}

// variable returns the variable that Kubernetes sets to the address of a Service.
func variable(service string) string {
	return strings.ToUpper(strings.ReplaceAll(objectName(service), "-", "_")) + "_SERVICE_HOST"
}
