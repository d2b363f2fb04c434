{{- /*
Names and labels. Templates of one service take a dict: root (the chart's own context), name, own (its values over the
defaults), house (its entry in files/house.yaml). Others take the chart's context.
*/ -}}

{{- define "valor.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- /* Short enough that `-toolrunner-replicas` still fits into the 63 characters of a Service. */ -}}
{{- define "valor.fullname" -}}
{{- $name := include "valor.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "valor.house" -}}
{{- .Files.Get "files/house.yaml" -}}
{{- end -}}

{{- /* The names of the services that this release has, as JSON: the sandbox Telegram only where it is asked for. */ -}}
{{- define "valor.present" -}}
{{- $names := list -}}
{{- range $name, $_ := include "valor.house" . | fromYaml -}}
{{- $own := mustMergeOverwrite (dict "enabled" $.Values.defaults.enabled) (pick (index $.Values.services $name) "enabled") -}}
{{- if and $own.enabled (or (ne $name "testdc") $.Values.sandboxTelegram.enabled) -}}
{{- $names = append $names $name -}}
{{- end -}}
{{- end -}}
{{- toJson $names -}}
{{- end -}}

{{- /* The names of the present services whose entry in the house has a value: (list $ "tables") → those with tables. */ -}}
{{- define "valor.with" -}}
{{- $root := first . -}}
{{- $key := last . -}}
{{- $house := include "valor.house" $root | fromYaml -}}
{{- $names := list -}}
{{- range $name := include "valor.present" $root | fromJsonArray -}}
{{- if get (index $house $name) $key -}}
{{- $names = append $names $name -}}
{{- end -}}
{{- end -}}
{{- toJson $names -}}
{{- end -}}

{{- /* What the templates of one service take, as YAML without root: (list $ "people"). */ -}}
{{- define "valor.service" -}}
{{- $root := first . -}}
{{- $name := last . -}}
{{- $own := mustMergeOverwrite (deepCopy $root.Values.defaults) (deepCopy (index $root.Values.services $name)) -}}
{{- $house := index (include "valor.house" $root | fromYaml) $name -}}
{{- dict "name" $name "own" $own "house" $house | toYaml -}}
{{- end -}}

{{- define "valor.selectorLabels" -}}
app.kubernetes.io/name: {{ include "valor.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .name }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "valor.labels" -}}
{{ include "valor.selectorLabels" . }}
app.kubernetes.io/part-of: valor
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | quote }}
{{- end -}}

{{- /* Name, namespace and labels of an object: (dict "root" $ "name" "people" "object" "people-replicas"). */ -}}
{{- define "valor.metadata" -}}
name: {{ include "valor.fullname" .root }}-{{ .object | default .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "valor.labels" . | nindent 2 }}
{{- end -}}

{{- define "valor.image" -}}
{{- $image := mustMergeOverwrite (deepCopy .root.Values.image) (deepCopy .own.image) -}}
{{- $registry := $image.registry | default .root.Values.global.imageRegistry -}}
{{- with $registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- $image.repository | default (printf "valor-%s" .name) -}}
{{- if or $image.tag (not $image.digest) }}:{{ $image.tag | default .root.Chart.AppVersion }}{{ end -}}
{{- with $image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{- /* keda, hpa, or empty: who sets the number of a service's replicas. */ -}}
{{- define "valor.scaler" -}}
{{- if .own.scaling.enabled -}}
{{- .root.Values.autoscaling.mode | toString | replace "off" "" | replace "false" "" -}}
{{- end -}}
{{- end -}}

{{- /* How many replicas there are at least. */ -}}
{{- define "valor.atLeast" -}}
{{- if include "valor.scaler" . }}{{ .own.scaling.min }}{{ else }}{{ .own.replicas }}{{ end -}}
{{- end -}}
