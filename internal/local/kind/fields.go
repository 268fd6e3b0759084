package kind

import "strings"

// The fields that the local account supports or that change nothing on one machine, as dotted paths. Lists count as
// their elements, ** is everything below, =a|b allows these values only. Other fields are Unsupported, so a field that
// Kubernetes adds one day is refused until somebody has thought about it. docs/local.md says which is which.

const (
	header = `apiVersion kind metadata.name metadata.namespace metadata.labels.** metadata.annotations.** `

	namespaceFields = header + `spec.finalizers.**`
	configMapFields = header + `data.** binaryData.** immutable`
	secretFields    = header + `data.** stringData.** type immutable`
	claimFields     = header + claimSpecFields
	claimSpecFields = `spec.accessModes.** spec.resources.** spec.storageClassName spec.volumeName
		spec.volumeMode=Filesystem`
	serviceFields = header + `spec.selector.** spec.clusterIP spec.clusterIPs.** spec.sessionAffinity=None
		spec.type=ClusterIP|NodePort|LoadBalancer spec.publishNotReadyAddresses=false
		spec.ipFamilies.** spec.ipFamilyPolicy spec.internalTrafficPolicy=Cluster spec.externalTrafficPolicy
		spec.allocateLoadBalancerNodePorts spec.loadBalancerClass spec.healthCheckNodePort
		spec.ports.name spec.ports.port spec.ports.targetPort spec.ports.nodePort
		spec.ports.appProtocol spec.ports.protocol=TCP`

	podFields = `metadata.name metadata.labels.** metadata.annotations.** ` +
		`spec.restartPolicy spec.terminationGracePeriodSeconds spec.enableServiceLinks
		spec.nodeSelector.** spec.tolerations.** spec.affinity.** spec.topologySpreadConstraints.**
		spec.serviceAccountName spec.serviceAccount spec.automountServiceAccountToken spec.imagePullSecrets.**
		spec.priorityClassName spec.priority spec.preemptionPolicy spec.schedulerName spec.runtimeClassName
		spec.dnsPolicy spec.dnsConfig.** spec.hostname spec.subdomain spec.shareProcessNamespace=false
		spec.hostNetwork=false spec.hostPID=false spec.hostIPC=false spec.resources.**
		spec.securityContext.runAsNonRoot spec.securityContext.runAsUser spec.securityContext.runAsGroup
		spec.securityContext.fsGroup spec.securityContext.fsGroupChangePolicy spec.securityContext.supplementalGroups.**
		spec.securityContext.seccompProfile.** spec.securityContext.appArmorProfile.** spec.securityContext.seLinuxOptions.**
		spec.volumes.name spec.volumes.emptyDir.** spec.volumes.persistentVolumeClaim.claimName
		spec.volumes.persistentVolumeClaim.readOnly ` +
		`spec.volumes.configMap.name spec.volumes.configMap.items.** spec.volumes.configMap.defaultMode
		spec.volumes.configMap.optional
		spec.volumes.secret.secretName spec.volumes.secret.items.** spec.volumes.secret.defaultMode
		spec.volumes.secret.optional `

	containerFields = `name image command.** args.** workingDir imagePullPolicy resources.** resizePolicy.**
		terminationMessagePath terminationMessagePolicy stdin=false stdinOnce=false tty=false
		ports.name ports.containerPort ports.protocol=TCP
		env.name env.value env.valueFrom.configMapKeyRef.** env.valueFrom.secretKeyRef.**
		env.valueFrom.fieldRef.** envFrom.**
		volumeMounts.name volumeMounts.mountPath volumeMounts.subPath volumeMounts.readOnly volumeMounts.recursiveReadOnly
		volumeMounts.mountPropagation=None
		lifecycle.preStop.exec.** lifecycle.preStop.sleep.** lifecycle.preStop.httpGet.**
		securityContext.runAsNonRoot securityContext.runAsUser securityContext.runAsGroup
		securityContext.readOnlyRootFilesystem securityContext.allowPrivilegeEscalation=false
		securityContext.privileged=false securityContext.capabilities.drop.** securityContext.seccompProfile.**
		securityContext.appArmorProfile.** securityContext.seLinuxOptions.** `

	probeFields = `httpGet.** tcpSocket.** exec.** initialDelaySeconds periodSeconds timeoutSeconds
		successThreshold failureThreshold`

	selectorFields = `spec.selector.matchLabels.** spec.selector.matchExpressions.** `
)

var (
	probedFields = containerFields + under("readinessProbe", probeFields) + under("livenessProbe", probeFields) +
		under("startupProbe", probeFields)
	fullPodFields = podFields + under("spec.containers", probedFields) +
		under("spec.initContainers", probedFields+`restartPolicy=Always`)

	deploymentFields = header + selectorFields + `spec.replicas spec.minReadySeconds spec.revisionHistoryLimit
		spec.paused spec.progressDeadlineSeconds spec.strategy.** ` + under("spec.template", fullPodFields)
	statefulSetFields = header + selectorFields + `spec.replicas spec.minReadySeconds spec.revisionHistoryLimit
		spec.serviceName spec.podManagementPolicy spec.updateStrategy.** spec.ordinals.start
		spec.persistentVolumeClaimRetentionPolicy.whenDeleted=Retain
		spec.persistentVolumeClaimRetentionPolicy.whenScaled=Retain ` +
		under("spec.template", fullPodFields) +
		under("spec.volumeClaimTemplates", header+claimSpecFields+` status.**`)
	jobFields = header + selectorFields + `spec.parallelism spec.completions spec.backoffLimit spec.activeDeadlineSeconds
		spec.ttlSecondsAfterFinished spec.suspend spec.completionMode=NonIndexed spec.manualSelector
		spec.podReplacementPolicy=TerminatingOrFailed ` + under("spec.template", fullPodFields)
)

// under puts every pattern below a path.
func under(path, patterns string) string {
	var b strings.Builder
	for p := range strings.FieldsSeq(patterns) {
		b.WriteString(path + "." + p + " ")
	}
	return b.String()
}
