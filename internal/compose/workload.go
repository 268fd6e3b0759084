package compose

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"k8s.io/apimachinery/pkg/api/resource"
)

// workload returns a StatefulSet if the service keeps data, otherwise a Deployment.
func (c *conversion) workload(s types.ServiceConfig, pod object) object {
	name := objectName(s.Name)
	labels := object{"app": name}
	template := object{"metadata": object{"labels": labels}, "spec": pod}
	if len(s.Annotations) > 0 {
		template["metadata"] = object{"labels": labels, "annotations": s.Annotations}
	}
	spec := object{"replicas": s.GetScale(), "selector": object{"matchLabels": labels}, "template": template}
	kind := "Deployment"
	if slices.ContainsFunc(s.Volumes, isClaim) {
		kind = "StatefulSet"
		spec["serviceName"] = name
		if s.GetScale() > 1 {
			c.guess("the %d pods of %s share its claims, which needs storage that allows it", s.GetScale(), s.Name)
		}
	}
	if s.Restart == types.RestartPolicyNo || strings.HasPrefix(s.Restart, types.RestartPolicyOnFailure) {
		c.leaveOut(c.path(s.Name, "restart"),
			"let another service wait for its end (service_completed_successfully) if it is a Job",
			"%s restarts whenever it ends, as every %s", s.Name, kind)
	}
	return object{"apiVersion": "apps/v1", "kind": kind, "metadata": object{"name": name}, "spec": spec}
}

func (c *conversion) job(s types.ServiceConfig, pod object) object {
	c.guess("%s is a Job that changes the data for a release, because others wait for its end", s.Name)
	pod["restartPolicy"] = "Never"
	spec := object{"template": object{"spec": pod}}
	if !strings.HasPrefix(s.Restart, types.RestartPolicyOnFailure) {
		spec["backoffLimit"] = 0
	}
	return object{
		"apiVersion": "batch/v1", "kind": "Job", "metadata": object{"name": objectName(s.Name)}, "spec": spec,
	}
}

// pod returns the specification of a service's pods.
func (c *conversion) pod(s types.ServiceConfig) object {
	mounts, volumes := c.mounts(s)
	container := object{"name": objectName(s.Name), "image": s.Image}
	pod := object{"containers": []object{container}}
	fill(pod, "volumes", volumes)
	fill(container, "volumeMounts", mounts)
	fill(container, "command", c.words(s.Name, s.Entrypoint))
	fill(container, "args", c.words(s.Name, s.Command))
	fill(container, "env", c.environment(s))
	fill(container, "ports", containerPorts(c.ports[s.Name]))
	if s.WorkingDir != "" {
		container["workingDir"] = s.WorkingDir
	}
	if s.StopGracePeriod != nil {
		pod["terminationGracePeriodSeconds"] = seconds(s.StopGracePeriod)
	}
	if !c.jobs[s.Name] {
		fillMap(container, "readinessProbe", c.probe(s))
	}
	fillMap(container, "resources", resources(s))
	fillMap(container, "securityContext", c.security(s))
	return pod
}

// fill sets a list, and fillMap a map, unless it is empty.
func fill[T any](o object, key string, list []T) {
	if len(list) > 0 {
		o[key] = list
	}
}

func fillMap(o object, key string, value object) {
	if len(value) > 0 {
		o[key] = value
	}
}

// resources returns what the containers of a service need and may use.
func resources(s types.ServiceConfig) object {
	limits := types.Resource{NanoCPUs: types.NanoCPUs(s.CPUS), MemoryBytes: s.MemLimit}
	requests := types.Resource{MemoryBytes: s.MemReservation}
	if s.Deploy != nil && s.Deploy.Resources.Limits != nil {
		limits = *s.Deploy.Resources.Limits
	}
	if s.Deploy != nil && s.Deploy.Resources.Reservations != nil {
		requests = *s.Deploy.Resources.Reservations
	}
	all := object{}
	fillMap(all, "limits", quantities(limits))
	fillMap(all, "requests", quantities(requests))
	return all
}

func quantities(r types.Resource) object {
	all := object{}
	if r.NanoCPUs > 0 {
		all["cpu"] = resource.NewMilliQuantity(int64(r.NanoCPUs*1000), resource.DecimalSI).String()
	}
	if r.MemoryBytes > 0 {
		all["memory"] = resource.NewQuantity(int64(r.MemoryBytes), resource.BinarySI).String()
	}
	return all
}

// security returns as which user, and with which rights, the containers of a service run.
func (c *conversion) security(s types.ServiceConfig) object {
	all := object{}
	for i, id := range strings.SplitN(s.User, ":", 2) {
		number, err := strconv.Atoi(id)
		if err != nil && s.User != "" {
			c.leaveOut(c.path(s.Name, "user"), "write its number, such as 1000",
				"the user %s of %s is left out: Kubernetes knows users by their numbers", s.User, s.Name)
			break
		}
		if s.User != "" {
			all[[]string{"runAsUser", "runAsGroup"}[i]] = number
		}
	}
	if s.ReadOnly {
		all["readOnlyRootFilesystem"] = true
	}
	if len(s.CapDrop) > 0 {
		all["capabilities"] = object{"drop": s.CapDrop}
	}
	return all
}

func seconds(d *types.Duration) int64 { return int64(math.Ceil(time.Duration(*d).Seconds())) }
