{{- define "sluice.pod" -}}
{{- $protocol := include "sluice.protocol" . }}
serviceAccountName: {{ include "sluice.account" . }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
enableServiceLinks: false
terminationGracePeriodSeconds: 30
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  # Always would open the files of the state directory to the group at each start, and Sluice refuses that.
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- if .Values.database.secretName }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "sluice.selector" . | nindent 8 }}
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "sluice.selector" . | nindent 8 }}
{{- end }}
containers:
  - name: sluice
    image: {{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
    {{- with .Values.image.pullPolicy }}
    imagePullPolicy: {{ . }}
    {{- end }}
    args: [serve, --config, /etc/sluice/sluice.yaml, --state, /var/lib/sluice/state]
    ports:
      - {name: {{ $protocol }}, containerPort: 8443}
    # Connections still arrive until every node knows that this server stops.
    lifecycle:
      preStop: {sleep: {seconds: 5}}
    startupProbe:
      httpGet: {path: /healthz, port: {{ $protocol }}, scheme: {{ upper $protocol }}}
      periodSeconds: 2
      failureThreshold: 150
    livenessProbe:
      httpGet: {path: /healthz, port: {{ $protocol }}, scheme: {{ upper $protocol }}}
      periodSeconds: 10
      timeoutSeconds: 5
    readinessProbe:
      httpGet: {path: /readyz, port: {{ $protocol }}, scheme: {{ upper $protocol }}}
      periodSeconds: 5
      timeoutSeconds: 5
    resources: {{- toYaml .Values.resources | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    volumeMounts:
      - {name: state, mountPath: /var/lib/sluice}
      - {name: tmp, mountPath: /tmp}
      - {name: config, mountPath: /etc/sluice, readOnly: true}
      - {name: secret, mountPath: /run/secrets/sluice, readOnly: true}
      {{- if .Values.database.secretName }}
      - {name: database, mountPath: /run/secrets/sluice-database, readOnly: true}
      {{- end }}
      {{- if .Values.tlsSecretName }}
      - {name: tls, mountPath: /run/secrets/sluice-tls, readOnly: true}
      {{- end }}
volumes:
  {{- if .Values.database.secretName }}
  - name: state
    emptyDir: {}
  {{- end }}
  - name: tmp
    emptyDir: {}
  - name: config
    configMap: {name: {{ .Release.Name }}}
  # The user of the server reads these through fsGroup.
  - name: secret
    secret: {secretName: {{ .Values.secretName }}, defaultMode: 0440}
  {{- with .Values.database.secretName }}
  - name: database
    secret: {secretName: {{ . }}, defaultMode: 0440}
  {{- end }}
  {{- with .Values.tlsSecretName }}
  - name: tls
    secret: {secretName: {{ . }}, defaultMode: 0440}
  {{- end }}
{{- end }}
