{{- define "sluice.selector" -}}
app.kubernetes.io/name: sluice
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sluice.labels" -}}
{{ include "sluice.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "sluice.account" -}}
{{ .Values.serviceAccount.name | default .Release.Name }}
{{- end }}

{{- /* The port has the name of what it speaks. */}}
{{- define "sluice.protocol" -}}
{{ if .Values.tlsSecretName }}https{{ else }}http{{ end }}
{{- end }}

{{- /* What only together is a mistake. The schema of the values finds the others. */}}
{{- define "sluice.check" -}}
{{- if and (gt (int .Values.replicas) 1) (not .Values.database.secretName) }}
{{- fail "more than one server needs a database: set database.secretName" }}
{{- end }}
{{- if and (not .Values.tlsSecretName) (not (and .Values.networkPolicy.enabled .Values.networkPolicy.from)) }}
{{- fail "without tlsSecretName the servers believe who calls them, so only the proxy may reach them: set networkPolicy.from" }}
{{- end }}
{{- if and .Values.database.secretName (not .Values.config.repository) }}
{{- fail "what a pod keeps on its node ends with the pod: set config.repository to a bucket for checkpoints" }}
{{- end }}
{{- end }}
