package agent

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// An environ is a container's environment in the making. Later settings win.
type environ struct {
	names  []string
	values map[string]string
	hidden map[string]string // the Services: seen by $(VAR), listed if the container does not set them
}

func (e *environ) set(name, value string) {
	if _, ok := e.values[name]; !ok {
		e.names = append(e.names, name)
	}
	e.values[name] = value
}

func (e *environ) get(name string) (string, bool) {
	if v, ok := e.values[name]; ok {
		return v, true
	}
	v, ok := e.hidden[name]
	return v, ok
}

func (e *environ) list() []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(e.hidden)) {
		if _, ok := e.values[name]; !ok {
			all = append(all, name+"="+e.hidden[name])
		}
	}
	for _, name := range e.names {
		all = append(all, name+"="+e.values[name])
	}
	return all
}

// environment makes the container's variables: what every pod gets, the image's, envFrom, then env. The
// mutex is held.
func (a *Agent) environment(p *pod, c *container, image Image, mounts []mount) (*environ, error) {
	e := &environ{values: map[string]string{}, hidden: map[string]string{}}
	if links := p.Spec.EnableServiceLinks; links == nil || *links {
		e.hidden = a.serviceVariables(p.Namespace)
	}
	root := a.containerRoot(p, c)
	e.set("PATH", os.Getenv("PATH"))
	e.set("HOME", root)
	e.set("TMPDIR", root+"/tmp")
	e.set("HOSTNAME", p.Name)
	e.set("POD_IP", p.IP)
	e.set("POD_DIR", root)
	for _, name := range slices.Sorted(maps.Keys(image.Env)) {
		e.set(name, image.Env[name])
	}
	for _, from := range c.spec.EnvFrom {
		if err := a.envFrom(e, p, from); err != nil {
			return nil, err
		}
	}
	for _, v := range c.spec.Env {
		if err := a.envVar(e, p, v, mounts); err != nil {
			return nil, err
		}
	}
	// Last, so that nothing can override the marks of the processes.
	e.set("SLUICE_ACCOUNT", a.id)
	e.set(directoryVariable, a.dir)
	e.set(addressVariable, p.IP)
	e.set("SLUICE_POD", p.UID)
	e.set("SLUICE_CONTAINER", p.UID+"."+c.spec.Name)
	return e, nil
}

func (a *Agent) envFrom(e *environ, p *pod, from corev1.EnvFromSource) error {
	var data map[string]string
	var err error
	switch {
	case from.ConfigMapRef != nil:
		data, err = a.content("ConfigMap", p.Namespace, from.ConfigMapRef.Name, from.ConfigMapRef.Optional)
	case from.SecretRef != nil:
		data, err = a.content("Secret", p.Namespace, from.SecretRef.Name, from.SecretRef.Optional)
	}
	for _, name := range slices.Sorted(maps.Keys(data)) {
		e.set(from.Prefix+name, data[name])
	}
	return err
}

func (a *Agent) envVar(e *environ, p *pod, v corev1.EnvVar, mounts []mount) error {
	if v.ValueFrom == nil {
		e.set(v.Name, rewrite(expand(v.Value, e.get), mounts))
		return nil
	}
	switch from := v.ValueFrom; {
	case from.ConfigMapKeyRef != nil:
		return a.keyRef(e, p, v.Name,
			keyRef{"ConfigMap", from.ConfigMapKeyRef.Name, from.ConfigMapKeyRef.Key, from.ConfigMapKeyRef.Optional})
	case from.SecretKeyRef != nil:
		return a.keyRef(e, p, v.Name,
			keyRef{"Secret", from.SecretKeyRef.Name, from.SecretKeyRef.Key, from.SecretKeyRef.Optional})
	case from.FieldRef != nil:
		value, err := podField(p, from.FieldRef.FieldPath)
		if err != nil {
			return err
		}
		e.set(v.Name, value)
	}
	return nil
}

type keyRef struct {
	kind, name, key string
	optional        *bool
}

func (a *Agent) keyRef(e *environ, p *pod, name string, ref keyRef) error {
	data, err := a.content(ref.kind, p.Namespace, ref.name, ref.optional)
	if err != nil {
		return err
	}
	value, ok := data[ref.key]
	if ok {
		e.set(name, value)
		return nil
	}
	if ref.optional != nil && *ref.optional {
		return nil
	}
	return fmt.Errorf("%s/%s has no key %q", ref.kind, ref.name, ref.key)
}

// podField returns a field of the pod for the downward API.
func podField(p *pod, path string) (string, error) {
	maps := map[string]map[string]string{"metadata.labels": p.Labels, "metadata.annotations": p.Annotations}
	for prefix, from := range maps {
		if rest, ok := strings.CutPrefix(path, prefix+"['"); ok {
			return from[strings.TrimSuffix(rest, "']")], nil
		}
	}
	fields := map[string]string{
		"metadata.name": p.Name, "metadata.namespace": p.Namespace, "metadata.uid": p.UID,
		"spec.nodeName": "localhost", "spec.serviceAccountName": p.Spec.ServiceAccountName,
		"status.podIP": p.IP, "status.podIPs": p.IP, "status.hostIP": "127.0.0.1", "status.hostIPs": "127.0.0.1",
	}
	value, ok := fields[path]
	if !ok {
		return "", fmt.Errorf("the local account does not support the field %s of a pod", path)
	}
	return value, nil
}

// serviceVariables are those that Kubernetes gives to every pod for the Services of its namespace.
func (a *Agent) serviceVariables(namespace string) map[string]string {
	vars := map[string]string{}
	for _, e := range a.store.list("Service", namespace) {
		s, ok := e.typed.(*corev1.Service)
		if !ok || len(s.Spec.Ports) == 0 || e.deleting() {
			continue
		}
		name := variable(s.Name)
		vars[name+"_SERVICE_HOST"] = e.Address
		vars[name+"_SERVICE_PORT"] = fmt.Sprint(s.Spec.Ports[0].Port)
		vars[name+"_PORT"] = fmt.Sprintf("tcp://%s:%d", e.Address, s.Spec.Ports[0].Port)
		for _, p := range s.Spec.Ports {
			if p.Name != "" {
				vars[name+"_SERVICE_PORT_"+variable(p.Name)] = fmt.Sprint(p.Port)
			}
			tcp := fmt.Sprintf("%s_PORT_%d_TCP", name, p.Port)
			vars[tcp] = fmt.Sprintf("tcp://%s:%d", e.Address, p.Port)
			vars[tcp+"_PROTO"], vars[tcp+"_PORT"], vars[tcp+"_ADDR"] = "tcp", fmt.Sprint(p.Port), e.Address
		}
	}
	return vars
}

func variable(name string) string {
	return strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name))
}
