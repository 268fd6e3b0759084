package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/robfig/cron/v3"
	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/validation/path"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/sluice-cd/sluice/internal/manifest/yamldoc"
)

// A form is how a text must look. Wrong returns nothing for a text that has it.
type form struct {
	wrong func(string) []string
	hint  string
}

var (
	label = form{validation.IsDNS1123Label,
		"use at most 63 lower-case letters, digits and -; begin and end with a letter or a digit"}
	subdomain = form{validation.IsDNS1123Subdomain,
		"use at most 253 lower-case letters, digits, - and .; begin and end with a letter or a digit"}
	serviceName = form{validation.IsDNS1035Label,
		"use at most 63 lower-case letters, digits and -; begin with a letter, end with a letter or a digit"}
	cronJobName = form{wrongCronJob,
		"use at most 52 lower-case letters, digits, - and .; begin and end with a letter or a digit"}
	pathSegment = form{path.IsValidPathSegmentName, "use no / and no %"}
	portName    = form{validation.IsValidPortName,
		"use at most 15 lower-case letters, digits and -, at least one letter"}
	envName    = form{validation.IsRelaxedEnvVarName, "use printable ASCII characters without ="}
	configKey  = form{validation.IsConfigMapKey, "use letters, digits, -, _ and ."}
	qualified  = form{validation.IsQualifiedName, "write it like example.com/name: at most 63 letters, digits, -, _ and ."}
	labelValue = form{validation.IsValidLabelValue,
		"use at most 63 letters, digits, -, _ and .; begin and end with a letter or a digit"}
	host     = form{wrongHost, "write it like shop.example.com or *.example.com"}
	schedule = form{wrongSchedule, "write five fields such as 0 3 * * *, or @daily"}
	notBlank = form{blank, "write it without spaces around it"}
)

// names are the forms of objects' names by kind; every other name is a subdomain.
var names = map[string]form{
	"Service": serviceName, "Namespace": label, "Role": pathSegment, "ClusterRole": pathSegment,
	"RoleBinding": pathSegment, "ClusterRoleBinding": pathSegment, "ClusterTrustBundle": pathSegment,
	"CertificateSigningRequest": pathSegment, "IPAddress": pathSegment, "CronJob": cronJobName,
}

// forms are those of texts by field.
var forms = map[string]form{
	"ObjectMeta.namespace":         label,
	"ObjectMeta.labels":            labelValue,
	"LabelSelector.matchLabels":    labelValue,
	"LabelSelectorRequirement.key": qualified,
	"ServiceSpec.selector":         labelValue,
	"Container.name":               label,
	"Container.image":              notBlank,
	"ContainerPort.name":           portName,
	"EnvVar.name":                  envName,
	"Volume.name":                  label,
	"PodSpec.serviceAccountName":   subdomain,
	"PodSpec.hostname":             label,
	"PodSpec.subdomain":            label,
	"PodSpec.priorityClassName":    subdomain,
	"PodSpec.nodeSelector":         labelValue,
	"ServicePort.name":             label,
	"IngressRule.host":             host,
	"CronJobSpec.schedule":         schedule,
	"VolumeMount.mountPath":        notBlank,
}

// mapKeys are the forms of the keys of maps by field.
var mapKeys = map[string]form{
	"ObjectMeta.labels":         qualified,
	"ObjectMeta.annotations":    {wrongAnnotation, qualified.hint},
	"LabelSelector.matchLabels": qualified,
	"ServiceSpec.selector":      qualified,
	"PodSpec.nodeSelector":      qualified,
	"ConfigMap.data":            configKey,
	"ConfigMap.binaryData":      configKey,
	"Secret.data":               configKey,
	"Secret.stringData":         configKey,
}

// needed are the fields that an API server asks for although the published types do not require them.
var needed = map[string][]string{
	"Deployment": {"spec"}, "StatefulSet": {"spec"}, "DaemonSet": {"spec"}, "Job": {"spec"}, "CronJob": {"spec"},
	"PodTemplateSpec": {"spec"}, "JobTemplateSpec": {"spec"},
	"PersistentVolumeClaim": {"spec"}, "PersistentVolumeClaimSpec": {"accessModes", "resources"}, "Container": {"image"},
}

// filled are the required lists that must have an entry.
var filled = strings.Fields(`PodSpec.containers PersistentVolumeClaimSpec.accessModes NodeSelector.nodeSelectorTerms
	HTTPIngressRuleValue.paths PolicyRule.verbs`)

// optional are the fields that the published types require although an API server does without them.
var optional = strings.Fields(`EndpointSlice.endpoints RoleRef.apiGroup HTTPHeader.value PriorityClass.value
	ISCSIVolumeSource.lun ISCSIPersistentVolumeSource.lun CustomResourceDefinitionVersion.served
	CustomResourceDefinitionVersion.storage CSIDriver.spec LimitRangeSpec.limits Sysctl.value TokenRequest.audience
	PodFailurePolicyOnPodConditionsPattern.status SleepAction.seconds ResourcePool.generation
	ControllerRevision.revision`)

// words are the values that a text may have by field.
var words = map[string]string{
	"Container.imagePullPolicy":                  "Always IfNotPresent Never",
	"ContainerPort.protocol":                     "TCP UDP SCTP",
	"Container.terminationMessagePolicy":         "File FallbackToLogsOnError",
	"ServicePort.protocol":                       "TCP UDP SCTP",
	"PodSpec.restartPolicy":                      "Always OnFailure Never",
	"PodSpec.dnsPolicy":                          "ClusterFirst ClusterFirstWithHostNet Default None",
	"ServiceSpec.type":                           "ClusterIP NodePort LoadBalancer ExternalName",
	"ServiceSpec.sessionAffinity":                "None ClientIP",
	"ServiceSpec.externalTrafficPolicy":          "Cluster Local",
	"ServiceSpec.internalTrafficPolicy":          "Cluster Local",
	"ServiceSpec.ipFamilyPolicy":                 "SingleStack PreferDualStack RequireDualStack",
	"DeploymentStrategy.type":                    "RollingUpdate Recreate",
	"StatefulSetUpdateStrategy.type":             "RollingUpdate OnDelete",
	"DaemonSetUpdateStrategy.type":               "RollingUpdate OnDelete",
	"StatefulSetSpec.podManagementPolicy":        "OrderedReady Parallel",
	"CronJobSpec.concurrencyPolicy":              "Allow Forbid Replace",
	"JobSpec.completionMode":                     "NonIndexed Indexed",
	"PersistentVolumeClaimSpec.accessModes":      "ReadWriteOnce ReadOnlyMany ReadWriteMany ReadWriteOncePod",
	"PersistentVolumeClaimSpec.volumeMode":       "Filesystem Block",
	"HTTPGetAction.scheme":                       "HTTP HTTPS",
	"PersistentVolumeSpec.accessModes":           "ReadWriteOnce ReadOnlyMany ReadWriteMany ReadWriteOncePod",
	"Toleration.operator":                        "Exists Equal",
	"Toleration.effect":                          "NoSchedule PreferNoSchedule NoExecute",
	"LabelSelectorRequirement.operator":          "In NotIn Exists DoesNotExist",
	"NodeSelectorRequirement.operator":           "In NotIn Exists DoesNotExist Gt Lt",
	"HTTPIngressPath.pathType":                   "Exact Prefix ImplementationSpecific",
	"NetworkPolicySpec.policyTypes":              "Ingress Egress",
	"TopologySpreadConstraint.whenUnsatisfiable": "DoNotSchedule ScheduleAnyway",
}

// ports are the numbers from 1 to 65535 by field. As text they are the name of a port.
var ports = strings.Fields(`ContainerPort.containerPort ServicePort.port ServicePort.targetPort HTTPGetAction.port
	TCPSocketAction.port GRPCAction.port ServiceBackendPort.number NetworkPolicyPort.port NetworkPolicyPort.endPort`)

// counts are the numbers that are never negative, by name.
var counts = strings.Fields(`replicas minReadySeconds revisionHistoryLimit progressDeadlineSeconds partition
	parallelism completions backoffLimit activeDeadlineSeconds ttlSecondsAfterFinished successfulJobsHistoryLimit
	failedJobsHistoryLimit startingDeadlineSeconds terminationGracePeriodSeconds initialDelaySeconds timeoutSeconds
	periodSeconds successThreshold failureThreshold minReplicas maxReplicas`)

// modes are the permissions of files, by name.
var modes = strings.Fields("defaultMode mode")

// shares are the counts that may also be percentages, by name.
var shares = strings.Fields("maxSurge maxUnavailable minAvailable")

// rule checks a value that has the right type.
func (c *checker) rule(n *yaml.Node, v any, s spot) {
	name := s.field[strings.LastIndex(s.field, ".")+1:]
	switch v := v.(type) {
	case string:
		c.text(n, v, s)
		if slices.Contains(shares, name) && len(validation.IsValidPercent(v)) > 0 {
			c.badValue(n, s, "write a whole number, or a percentage such as 25%")
		}
	case int64:
		if slices.Contains(ports, s.field) && len(validation.IsValidPortNum(int(v))) > 0 {
			c.badValue(n, s, "write a port between 1 and 65535")
		}
		if v < 0 && (slices.Contains(counts, name) || slices.Contains(shares, name)) {
			c.badValue(n, s, "write a number that is not negative")
		}
		if (v < 0 || v > 0o777) && slices.Contains(modes, name) {
			c.badValue(n, s, "write it in octal, from 0000 to 0777, such as 0644")
		}
	}
}

func (c *checker) text(n *yaml.Node, text string, s spot) {
	if f, ok := forms[s.field]; ok && text != "" {
		c.form(n, f, s.path, codeFor(s))
	}
	if list := strings.Fields(words[s.field]); len(list) > 0 && text != "" && !slices.Contains(list, text) {
		hint := "write one of " + strings.Join(list, ", ")
		if near := yamldoc.Nearest(text, list); near != "" {
			hint = "did you mean " + near + "?"
		}
		c.badValue(n, s, hint)
	}
	if slices.Contains(ports, s.field) {
		c.form(n, portForm(text), s.path, codeBadValue)
	}
}

// portForm is that of a port's name, with a hint for a number in quotes.
func portForm(text string) form {
	if _, err := strconv.Atoi(text); err == nil {
		return form{portName.wrong, "write it without quotes: " + text}
	}
	return portName
}

func codeFor(s spot) string {
	if strings.HasSuffix(s.field, ".name") || s.field == "ObjectMeta.namespace" {
		return codeBadName
	}
	return codeBadValue
}

func (c *checker) badValue(n *yaml.Node, s spot, hint string) {
	c.report(n, codeBadValue, hint, "%s cannot be %s", s.path, c.shown(n))
}

func (c *checker) form(n *yaml.Node, f form, path, code string) {
	if len(f.wrong(n.Value)) > 0 {
		c.report(n, code, f.hint, "%s cannot be %s", path, c.shown(n))
	}
}

// mapKey checks a key of a map.
func (c *checker) mapKey(key *yaml.Node, s spot) {
	if f, ok := mapKeys[s.field]; ok && len(f.wrong(key.Value)) > 0 {
		c.report(key, codeBadName, f.hint, "%s cannot have the key %s", s.path, quote(key.Value))
	}
}

// objectName checks the name of the whole object.
func (c *checker) objectName(kind string, name *yaml.Node) {
	f, ok := names[kind]
	if !ok {
		f = subdomain
	}
	if name != nil && name.Kind == yaml.ScalarNode && len(f.wrong(name.Value)) > 0 {
		c.report(name, codeBadName, f.hint, "a %s cannot have the name %s", escape(kind), quote(name.Value))
	}
}

func wrongHost(text string) []string {
	if strings.HasPrefix(text, "*.") {
		return validation.IsWildcardDNS1123Subdomain(text)
	}
	return validation.IsDNS1123Subdomain(text)
}

// wrongSchedule parses as the controller of CronJobs does, which refuses a time zone in the schedule.
func wrongSchedule(text string) []string {
	if strings.Contains(text, "TZ") {
		return []string{"the time zone belongs in timeZone"}
	}
	if _, err := cron.ParseStandard(text); err != nil {
		return []string{err.Error()}
	}
	return nil
}

// wrongCronJob leaves room for what the controller appends to the names of Jobs.
func wrongCronJob(text string) []string {
	if len(text) > 52 {
		return []string{"it has more than 52 characters"}
	}
	return validation.IsDNS1123Subdomain(text)
}

func wrongAnnotation(key string) []string { return validation.IsQualifiedName(strings.ToLower(key)) }

func blank(text string) []string {
	if strings.TrimSpace(text) != text {
		return []string{fmt.Sprintf("%q has spaces around it", text)}
	}
	return nil
}
