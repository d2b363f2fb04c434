{{- define "valor.hpa" -}}
{{- if eq (include "valor.scaler" .) "hpa" -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "valor.metadata" . | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "valor.fullname" .root }}-{{ .name }}
  minReplicas: {{ .own.scaling.min }}
  maxReplicas: {{ .own.scaling.max }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: {{ .own.scaling.cpu }}}
  behavior:
    {{- include "valor.behavior" .own.scaling | nindent 4 }}
{{- end -}}
{{- end -}}
