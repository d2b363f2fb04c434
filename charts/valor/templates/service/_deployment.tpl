{{- define "valor.deployment" -}}
{{- $root := .root -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "valor.metadata" . | nindent 2 }}
spec:
  {{- if not (include "valor.scaler" .) }}
  replicas: {{ .own.replicas }}
  {{- end }}
  revisionHistoryLimit: {{ .own.revisionHistoryLimit }}
  minReadySeconds: {{ .own.minReadySeconds }}
  strategy:
    {{- if eq .name "testdc" }}
    type: Recreate
    {{- else }}
    type: RollingUpdate
    rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
    {{- end }}
  selector:
    matchLabels:
      {{- include "valor.selectorLabels" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "valor.selectorLabels" . | nindent 8 }}
        app.kubernetes.io/part-of: valor
        app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
        app.kubernetes.io/managed-by: {{ $root.Release.Service }}
        {{- with .own.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        kubectl.kubernetes.io/default-container: {{ .name }}
        checksum/config: {{ printf "%s%s" (include "valor.environment" .) (include "valor.files" .) | sha256sum }}
        checksum/secret: {{ include "valor.secretState" . | sha256sum }}
        {{- with .own.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "valor.podHead" . | nindent 6 }}
      {{- with include "valor.placement" . }}
      {{- . | nindent 6 }}
      {{- end }}
      topologySpreadConstraints:
        {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
        - maxSkew: 1
          topologyKey: {{ $key }}
          whenUnsatisfiable: ScheduleAnyway
          matchLabelKeys: [pod-template-hash]
          labelSelector:
            matchLabels:
              {{- include "valor.selectorLabels" $ | nindent 14 }}
        {{- end }}
      terminationGracePeriodSeconds: {{ .own.terminationGracePeriodSeconds }}
      {{- if and (eq .name "telegram") $root.Values.sandboxTelegram.enabled }}
      initContainers:
        {{- include "valor.sandboxKey" . | nindent 8 }}
      {{- end }}
      containers:
        - {{- include "valor.container" . | nindent 10 }}
      volumes:
        {{- include "valor.volumes" . | nindent 8 }}
        {{- include "valor.ownVolumes" . | nindent 8 }}
{{- end -}}

{{- define "valor.container" -}}
name: {{ .name }}
image: {{ include "valor.image" . }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args: [{{ if eq .name "cli" }}services.cli.wait{{ else }}services.{{ .name }}{{ end }}]
envFrom:
  - configMapRef: {name: {{ include "valor.fullname" .root }}-{{ .name }}}
{{- $knowledge := and (eq .name "toolrunner") (or .root.Values.settings.knowledge.claim .root.Values.settings.knowledge.configMap) }}
{{- if or $knowledge .own.extraEnv }}
env:
  {{- if $knowledge }}
  - {name: TOOLRUNNER_KNOWLEDGE, value: /run/valor/knowledge}
  {{- end }}
  {{- with .own.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- with include "valor.ports" . }}
ports:
  {{- . | nindent 2 }}
{{- end }}
{{- if .house.watched }}
{{ include "valor.probes" . }}
{{- with .own.preStopSeconds }}
lifecycle:
  preStop:
    sleep: {seconds: {{ . }}}
{{- end }}
{{- else if eq .name "testdc" }}
readinessProbe:
  tcpSocket: {port: mtproto}
  periodSeconds: 3
livenessProbe:
  tcpSocket: {port: mtproto}
  periodSeconds: 10
  failureThreshold: 6
{{- end }}
securityContext:
  {{- include "valor.containerSecurity" . | nindent 2 }}
resources:
  {{- include "valor.resources" .own.resources | nindent 2 }}
volumeMounts:
  {{- include "valor.mounts" . | nindent 2 }}
  {{- with include "valor.ownMounts" . }}
  {{- . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "valor.ports" -}}
{{- if eq .name "testdc" }}
- {name: mtproto, containerPort: 7000}
- {name: control, containerPort: 7001}
{{- end }}
{{- if .house.serves }}
- {name: grpc, containerPort: 7000}
{{- end }}
{{- if .house.watched }}
- {name: health, containerPort: 7001}
- {name: metrics, containerPort: 7002}
{{- end }}
{{- if eq .name "monitor" }}
- {name: http, containerPort: 7003}
{{- end }}
{{- end -}}

{{- /* What a restart has to follow: the state of the Secrets that the chart makes and this service reads. */ -}}
{{- define "valor.secretState" -}}
{{- include "valor.generate" .root -}}
{{- $made := .root.Values.generated -}}
{{- $kinds := dict "scope" "house" "monitor" "house" "database" "postgres" "telegram" "sandbox" "sandbox" "sandbox" -}}
{{- with get $made (printf "%s-tls" .name) }}{{ toJson .data }}{{ end -}}
{{- range .house.secrets -}}
{{- with get $made (get $kinds . ) }}{{ toJson . }}{{ end -}}
{{- end -}}
{{- end -}}
