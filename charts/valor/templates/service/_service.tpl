{{- /* Calls go to pods that are ready; monitor and Prometheus look at all of them. Headless: gRPC chooses among the pods itself. */ -}}
{{- define "valor.endpoints" -}}
{{- if or .house.serves (eq .name "testdc") -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "valor.metadata" . | nindent 2 }}
spec:
  clusterIP: None
  selector:
    {{- include "valor.selectorLabels" . | nindent 4 }}
  ports:
    {{- if eq .name "testdc" }}
    - {name: mtproto, port: 7000, targetPort: mtproto, appProtocol: tcp}
    - {name: control, port: 7001, targetPort: control, appProtocol: tcp}
    {{- else }}
    - {name: grpc, port: 7000, targetPort: grpc, appProtocol: grpc}
    {{- end }}
    {{- if eq .name "monitor" }}
    - {name: http, port: 7003, targetPort: http, appProtocol: http}
    {{- end }}
{{- end }}
{{- if .house.watched }}
---
apiVersion: v1
kind: Service
metadata:
  {{- include "valor.metadata" (merge (dict "object" (printf "%s-replicas" .name)) .) | nindent 2 }}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector:
    {{- include "valor.selectorLabels" . | nindent 4 }}
  ports:
    - {name: health, port: 7001, targetPort: health, appProtocol: grpc}
    - {name: metrics, port: 7002, targetPort: metrics, appProtocol: http}
{{- end }}
{{- end -}}
