{{- /* KEDA asks monitor, which follows how long people wait. Where monitor is away, no fewer replicas than there are. */ -}}
{{- define "valor.scaledobject" -}}
{{- if eq (include "valor.scaler" .) "keda" -}}
{{- $full := include "valor.fullname" .root -}}
{{- $scaling := .own.scaling -}}
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  {{- include "valor.metadata" . | nindent 2 }}
spec:
  scaleTargetRef: {name: {{ $full }}-{{ .name }}}
  minReplicaCount: {{ $scaling.min }}
  maxReplicaCount: {{ $scaling.max }}
  pollingInterval: {{ $scaling.pollingSeconds }}
  cooldownPeriod: {{ $scaling.cooldownSeconds }}
  fallback: {failureThreshold: 3, replicas: {{ $scaling.fallback }}, behavior: currentReplicasIfHigher}
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        {{- include "valor.behavior" $scaling | nindent 8 }}
  triggers:
    - type: external-push
      metadata:
        scalerAddress: {{ $full }}-monitor.{{ .root.Release.Namespace }}:7000
        enableTLS: "true"
        service: {{ .name }}
        min: {{ $scaling.min | quote }}
        max: {{ $scaling.max | quote }}
      authenticationRef: {name: {{ $full }}-keda}
{{- end -}}
{{- end -}}

{{- /* Out at once, back after a while and by one. */ -}}
{{- define "valor.behavior" -}}
scaleUp:
  stabilizationWindowSeconds: 0
  policies:
    - {type: Pods, value: 4, periodSeconds: 15}
scaleDown:
  stabilizationWindowSeconds: {{ .stabilizationSeconds }}
  policies:
    - {type: Pods, value: 1, periodSeconds: 30}
{{- end -}}
