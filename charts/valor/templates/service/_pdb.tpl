{{- define "valor.pdb" -}}
{{- if and .own.pdb (gt (int (include "valor.atLeast" .)) 1) -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "valor.metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "valor.selectorLabels" . | nindent 6 }}
{{- end -}}
{{- end -}}
