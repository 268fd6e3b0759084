package compose

import (
	"maps"
	"regexp"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"
)

var (
	secretName = regexp.MustCompile(`(?i)PASS$|PASSW(OR)?D|PASSPHRASE|SECRET|TOKEN|(API|ACCESS|PRIVATE)_?KEY|CREDENTIAL`)
	// openName is one that says where a secret is.
	openName = regexp.MustCompile(`(?i)_(FILE|PATH|DIR|URL|HOST|NAME)$`)
	// secretValue finds NAME: value and NAME=value, and the password of a URL.
	secretValue = regexp.MustCompile(`(?i)(?:PASS(?:WORD|WD|PHRASE)?|_SECRET|TOKEN|_KEY|CREDENTIALS?)["']?[ \t]*` +
		`[:=][ \t]*["']?([^\s"',{}\[\]$]+)|://[^:/@\s]*:([^@/\s$]+)@`)
)

// tellSecrets hands out the values that look secret, so that no finding shows them. The text need not be YAML.
func tellSecrets(text []byte, secret func(value string)) {
	for _, m := range secretValue.FindAllSubmatch(text, -1) {
		for _, value := range m[1:] {
			if len(value) > 0 {
				secret(string(value))
			}
		}
	}
}

// environment returns the variables of a service's containers: those that others refer to first.
func (c *conversion) environment(s types.ServiceConfig) []object {
	var first, then []object
	secrets := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.Environment)) {
		value := s.Environment[name]
		if value == nil {
			c.leaveOut(c.path(s.Name, "environment", name), "set it, or add it to the file .env",
				"%s of %s is left out: it has no value here", name, s.Name)
			continue
		}
		secret, plain := c.secretOf(s.Name, name, *value)
		for key, hidden := range secret {
			secrets[key] = hidden
			first = append(first, fromSecret(s.Name, key))
		}
		if secret[name] == "" {
			then = append(then, object{"name": name, "value": plain})
		}
	}
	c.addSecret(s.Name, secrets)
	if c.listens[s.Name] {
		ip := object{"fieldRef": object{"fieldPath": "status.podIP"}}
		first = append([]object{{"name": "POD_IP", "valueFrom": ip}}, first...)
	}
	return append(first, then...)
}

func fromSecret(service, name string) object {
	ref := object{"name": objectName(service) + "-env", "key": name}
	return object{"name": name, "valueFrom": object{"secretKeyRef": ref}}
}

func (c *conversion) addSecret(service string, values map[string]string) {
	if len(values) == 0 {
		return
	}
	for _, v := range values {
		c.Secret(v)
	}
	c.secrets = append(c.secrets, object{
		"apiVersion": "v1", "kind": "Secret", "metadata": object{"name": objectName(service) + "-env"}, "stringData": values,
	})
}

// credentials are the parts of a URL with a password.
var credentials = regexp.MustCompile(`^([a-zA-Z][a-zA-Z0-9+.-]*://[^:/@\s]*:)([^@/\s]+)(@.*)$`)

// secretOf returns the secret part of a variable, by the variable that holds it: all of it, the password of a URL or
// nothing; and the value without that.
func (c *conversion) secretOf(service, name, value string) (secret map[string]string, plain string) {
	if secretName.MatchString(name) && !openName.MatchString(name) && value != "" {
		return map[string]string{name: value}, ""
	}
	m := credentials.FindStringSubmatch(value)
	if m == nil {
		return nil, c.references(service, name, value)
	}
	hidden := name + "_PASSWORD"
	return map[string]string{hidden: m[2]}, escaped(m[1]) + "$(" + hidden + ")" + c.references(service, name, m[3])
}
