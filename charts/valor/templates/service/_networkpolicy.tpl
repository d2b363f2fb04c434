{{- /* Exactly what a service needs: who calls it, whom it calls. Everything else is denied (network/deny.yaml). */ -}}
{{- define "valor.networkpolicy" -}}
{{- if .root.Values.networkPolicy.enabled -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "valor.metadata" . | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "valor.selectorLabels" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  {{- with include "valor.ingress" . | fromYamlArray }}
  ingress:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with include "valor.egress" . | fromYamlArray }}
  egress:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
{{- end -}}

{{- define "valor.ingress" -}}
{{- $policy := .root.Values.networkPolicy -}}
{{- $callers := include "valor.callers" . | fromJsonArray -}}
{{- with $callers }}
- from:
    {{- include "valor.peers" (list $.root .) | nindent 4 }}
  ports: [{port: 7000, protocol: TCP}]
{{- end }}
{{- if and (eq .name "monitor") (eq (toString .root.Values.autoscaling.mode) "keda") }}
- from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: {{ .root.Values.autoscaling.namespace }}}}}]
  ports: [{port: 7000, protocol: TCP}]
{{- end }}
{{- if .house.watched }}
- from:
    {{- include "valor.peers" (list .root (list "monitor")) | nindent 4 }}
  ports: [{port: 7001, protocol: TCP}, {port: 7002, protocol: TCP}]
{{- with $policy.prometheus }}
- from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: {{ . }}}}}]
  ports: [{port: 7002, protocol: TCP}]
{{- end }}
{{- if .root.Values.tests.enabled }}
- from:
    {{- include "valor.peers" (list .root (list "test")) | nindent 4 }}
  {{- /* It has no rights anywhere, and shows so by knocking at people's door. */}}
  ports: [{port: 7001, protocol: TCP}{{ if eq .name "people" }}, {port: 7000, protocol: TCP}{{ end }}]
{{- end }}
{{- with $policy.nodes }}
- from:
    {{- range . }}
    - ipBlock: {cidr: {{ . }}}
    {{- end }}
  ports: [{port: 7001, protocol: TCP}]
{{- end }}
{{- end }}
{{- if eq .name "testdc" }}
- from:
    {{- include "valor.peers" (list .root (list "telegram")) | nindent 4 }}
  ports: [{port: 7000, protocol: TCP}]
- from:
    {{- include "valor.peers" (list .root (list "cli")) | nindent 4 }}
  ports: [{port: 7001, protocol: TCP}]
{{- end }}
{{- with .own.ingress }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "valor.egress" -}}
{{- $values := .root.Values -}}
{{- $sandbox := $values.sandboxTelegram.enabled -}}
{{- if ne .name "testdc" }}
{{ include "valor.dns" .root }}
{{- end }}
{{- with .house.calls }}
- to:
    {{- include "valor.peers" (list $.root .) | nindent 4 }}
  ports: [{port: 7000, protocol: TCP}]
{{- end }}
{{- if .house.tables }}
{{ include "valor.toPostgres" .root }}
{{- end }}
{{- if eq .name "monitor" }}
- to:
    {{- include "valor.peers" (list .root (include "valor.with" (list .root "watched") | fromJsonArray)) | nindent 4 }}
  ports: [{port: 7001, protocol: TCP}, {port: 7002, protocol: TCP}]
{{- end }}
{{- if and (eq .name "telegram") $sandbox }}
- to:
    {{- include "valor.peers" (list .root (list "testdc")) | nindent 4 }}
  ports: [{port: 7000, protocol: TCP}]
{{- else if eq .house.outside "telegram" }}
- to:
    {{- include "valor.outside" .root | nindent 4 }}
  ports:
    {{- with $values.settings.telegramServer.address }}
    - {port: {{ splitList ":" . | last }}, protocol: TCP}
    {{- else }}
    {{- range list 80 443 5222 }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
    {{- end }}
{{- end }}
{{- if and (eq .house.outside "model") (ne (include "valor.model" .root) "offline") }}
- to:
    {{- include "valor.outside" .root | nindent 4 }}
  ports: [{port: {{ include "valor.urlPort" ($values.settings.modelUrl | default "https://") }}, protocol: TCP}]
{{- end }}
{{- if and (eq .house.outside "alerts") $values.secrets.alerts }}
- to:
    {{- include "valor.outside" .root | nindent 4 }}
  ports: [{port: 443, protocol: TCP}]
{{- end }}
{{- if and (eq .name "cli") $sandbox }}
- to:
    {{- include "valor.peers" (list .root (list "testdc")) | nindent 4 }}
  ports: [{port: 7001, protocol: TCP}]
{{- end }}
{{- if and .house.watched $values.settings.otlpEndpoint }}
- ports: [{port: {{ include "valor.urlPort" $values.settings.otlpEndpoint }}, protocol: TCP}]
{{- end }}
{{- with .own.egress }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Who calls a service, of those that are present, as JSON. */ -}}
{{- define "valor.callers" -}}
{{- $callers := list -}}
{{- $house := include "valor.house" .root | fromYaml -}}
{{- range $name := include "valor.present" .root | fromJsonArray -}}
{{- if has $.name (index $house $name).calls -}}{{- $callers = append $callers $name -}}{{- end -}}
{{- end -}}
{{- toJson $callers -}}
{{- end -}}

{{- /* Pods of this release by their component: (list $ (list "people")). */ -}}
{{- define "valor.peers" -}}
- podSelector:
    matchLabels:
      {{- include "valor.selectorLabels" (dict "root" (first .)) | nindent 6 }}
    matchExpressions:
      - {key: app.kubernetes.io/component, operator: In, values: [{{ last . | join ", " }}]}
{{- end -}}

{{- define "valor.dns" -}}
- to:
    {{- toYaml .Values.networkPolicy.dns | nindent 4 }}
  ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
{{- end -}}

{{- define "valor.toPostgres" -}}
{{- if include "valor.bundled" . -}}
- to:
    {{- include "valor.peers" (list . (list "postgres")) | nindent 4 }}
  ports: [{port: 5432, protocol: TCP}]
{{- else -}}
- ports: [{port: {{ .Values.networkPolicy.database.port }}, protocol: TCP}]
  {{- with .Values.networkPolicy.database.to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
{{- end -}}

{{- /* What is not the cluster's own, nor anybody's private network, nor the machine's metadata. */ -}}
{{- define "valor.outside" -}}
{{- toYaml .Values.networkPolicy.outside -}}
{{- end -}}

{{- define "valor.urlPort" -}}
{{- $url := urlParse . -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" -}}
{{- $port | default (ternary "80" "443" (eq $url.scheme "http")) -}}
{{- end -}}
