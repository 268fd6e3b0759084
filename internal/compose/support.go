package compose

import (
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/tree"
)

// understood are the keys that manifests have a counterpart for, each with all that is below it. All others are
// reported, also those that a later version of the format adds.
var understood = slices.Concat(
	[]tree.Path{"name"},
	below("services.*", "annotations", "build", "cap_drop", "command", "cpus", "depends_on", "entrypoint", "env_file",
		"environment", "expose", "healthcheck", "image", "mem_limit", "mem_reservation", "ports", "profiles", "read_only",
		"restart", "scale", "stop_grace_period", "tmpfs", "user", "volumes", "working_dir"),
	below("services.*.deploy", "mode", "replicas"),
	below("services.*.deploy.resources.limits", "cpus", "memory"),
	below("services.*.deploy.resources.reservations", "cpus", "memory"),
	below("services.*.configs.[]", "source", "target", "mode"),
	below("services.*.secrets.[]", "source", "target", "mode"),
	below("configs.*", "content", "environment", "external", "file", "name"),
	below("secrets.*", "content", "environment", "external", "file", "name"),
	below("volumes.*", "external"),
)

func below(path tree.Path, keys ...string) (all []tree.Path) {
	for _, key := range keys {
		all = append(all, path.Next(key))
	}
	return all
}

// subtrees keep the library from looking below the keys that are understood.
func subtrees() (all []loader.UnsupportedAttributePattern) {
	for _, path := range understood {
		all = append(all, loader.UnsupportedAttributePattern{Path: path, Detect: func(any) bool { return false }})
	}
	return all
}

const (
	hintRights = "remove it; if the program needs it, write the manifests by hand: sluice init manifests"
	hintShare  = "remove it; services reach each other by their names and ports"
	hintDevice = "remove it, and ask for the device in the manifests, as the plugin of your cluster says"
	hintFiles  = "declare the volume at each service that mounts it"
)

// refused are keys, of services or of the file, that rights or a part of the application depend on. It says what to do.
var refused = map[string]string{
	"privileged": hintRights, "cap_add": hintRights, "security_opt": hintRights, "userns_mode": hintRights,
	"sysctls": hintRights, "credential_spec": hintRights, "use_api_socket": hintRights, "runtime": hintRights,
	"network_mode": hintShare, "pid": hintShare, "ipc": hintShare, "uts": hintShare,
	"cgroup": hintShare, "external_links": hintShare,
	"devices": hintDevice, "device_cgroup_rules": hintDevice, "gpus": hintDevice,
	"volumes_from": hintFiles,
	"jobs":         "write each of them as a Kubernetes Job, and name it: sluice init compose.yaml --job FILE",
	"provider":     "remove it, and deliver what it provides with manifests of its own",
	"models":       "remove it, and give the address of the model to the program in environment",
}

// reasons say why a key is left out, if there is more to say.
var reasons = map[string]string{
	"networks":       "every pod reaches every Service; a NetworkPolicy can forbid it",
	"container_name": "a pod has a name of its own",
	"hostname":       "other services reach this one by the name of its Service",
	"links":          "write the name of the service where the program is told the alias",
	"labels":         "labels for other programs, such as a proxy, become an Ingress or annotations of the Service",
	"logging":        "the cluster collects what containers print",
	"ulimits":        "a cluster sets them on its nodes",
	"init":           "build an init program into the image if the program needs one",
	"pull_policy":    "Kubernetes pulls an image that is not there",
	"platform":       "a nodeSelector says where pods run",
}

// unsupported reports the keys that the library found outside of those that are understood.
func (r *reader) unsupported(found []loader.UnsupportedAttribute) {
	for _, u := range found {
		path := u.Path.Parts()
		if u.Value == false || u.Value == nil {
			continue
		}
		key := path[len(path)-1]
		what := strings.ReplaceAll(u.Path.String(), ".[]", "")
		if hint, is := refused[key]; is && (len(path) == 1 || path[0] == "services" && len(path) == 3) {
			r.refuse(path, hint, "%s has no counterpart in the manifests", what)
			continue
		}
		r.leaveOut(path, reasons[key], "%s is left out: it has no counterpart in the manifests", what)
	}
}
