{{- define "valor.serviceaccount" -}}
{{- if not .own.serviceAccount.name -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "valor.metadata" . | nindent 2 }}
  {{- with .own.serviceAccount.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}
{{- end -}}
