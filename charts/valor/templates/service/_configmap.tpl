{{- define "valor.configmap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "valor.metadata" . | nindent 2 }}
data:
  {{- include "valor.environment" . | nindent 2 }}
{{- with include "valor.files" . }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "valor.metadata" (merge (dict "object" (printf "%s-files" $.name)) $) | nindent 2 }}
data:
  {{- . | nindent 2 }}
{{- end }}
{{- end -}}
