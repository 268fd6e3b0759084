package rehearsal

import (
	"encoding/json"
	"path"
	"strings"

	"github.com/sluice-cd/sluice"
	"github.com/sluice-cd/sluice/internal/local/standin"
)

// imagePrefix begins the names of the images that stand-ins run for, so that no real deployment uses them.
const imagePrefix = "stand-in/"

func isStandIn(c sluice.Object) bool { return strings.HasPrefix(c.Text("image"), imagePrefix) }

// standIn turns the i-th container into a stand-in. It keeps the references to configuration, so that a changed
// configuration is a new version, but makes them optional.
func standIn(c, workload sluice.Object, i int, ports []int, fails bool) error {
	was := containers(workload)[i]
	spec := standin.Spec{
		Image: was.Text("image"), Command: texts(was["command"]), Args: texts(was["args"]), Ports: ports,
		Job: workload.Text("kind") == "Job", Fail: fails,
	}
	encoded, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	for _, field := range []string{"command", "args", "workingDir", "lifecycle", "readinessProbe", "livenessProbe",
		"startupProbe", "securityContext"} {
		delete(c, field)
	}
	c["image"] = imagePrefix + spec.Image
	env := []any{map[string]any{"name": standin.Variable, "value": strings.ReplaceAll(string(encoded), "$", "$$")}}
	for _, v := range list(c, "env") {
		if optional(v, "valueFrom", "configMapKeyRef") || optional(v, "valueFrom", "secretKeyRef") {
			env = append(env, map[string]any(v))
		}
	}
	c["env"] = env
	for _, from := range list(c, "envFrom") {
		optional(from, "configMapRef")
		optional(from, "secretRef")
	}
	unnest(c)
	if len(ports) > 0 && !spec.Job {
		c["readinessProbe"] = map[string]any{"tcpSocket": map[string]any{"port": int64(ports[0])}, "periodSeconds": int64(1)}
	}
	return nil
}

// optional marks the reference at the path as optional. It returns false if there is none.
func optional(o sluice.Object, at ...string) bool {
	if _, ok := o.Field(at...).(map[string]any); !ok {
		return false
	}
	o.Set(true, append(at, "optional")...)
	return true
}

// unnest removes mounts inside other mounts: the local account refuses them, and a stand-in does not need them.
func unnest(c sluice.Object) {
	var kept []any
	var seen []string
	for _, m := range list(c, "volumeMounts") {
		at := path.Clean("/" + m.Text("mountPath"))
		nested := at == "/"
		for _, s := range seen {
			nested = nested || at == s || strings.HasPrefix(at, s+"/") || strings.HasPrefix(s, at+"/")
		}
		if !nested {
			seen, kept = append(seen, at), append(kept, map[string]any(m))
		}
	}
	delete(c, "volumeMounts")
	if len(kept) > 0 {
		c["volumeMounts"] = kept
	}
}

// easeVolumes lets pods with nothing but stand-ins start without the configuration that they would mount.
func easeVolumes(workload sluice.Object) {
	for _, v := range list(podSpec(workload), "volumes") {
		for _, kind := range []string{"configMap", "secret"} {
			if optional(v, kind) {
				delete(v[kind].(map[string]any), "items")
			}
		}
	}
}

// dropEmptyProbes removes probes that have no check left.
func dropEmptyProbes(c sluice.Object) {
	for _, name := range []string{"readinessProbe", "livenessProbe", "startupProbe"} {
		if c[name] != nil && c.Field(name, "httpGet") == nil && c.Field(name, "tcpSocket") == nil &&
			c.Field(name, "exec") == nil {
			delete(c, name)
		}
	}
}

func texts(v any) []string {
	var all []string
	list, _ := v.([]any)
	for _, e := range list {
		if s, ok := e.(string); ok {
			all = append(all, s)
		}
	}
	return all
}

// list returns the maps in the list under the key, to be changed in place.
func list(m map[string]any, key string) []sluice.Object {
	elements, _ := m[key].([]any)
	var all []sluice.Object
	for _, e := range elements {
		if m, ok := e.(map[string]any); ok {
			all = append(all, sluice.Object(m))
		}
	}
	return all
}
