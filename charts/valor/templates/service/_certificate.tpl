{{- /* The proof of who a service is: from cert-manager where it issues, else made by the chart. (dict "root" $ "name" "keda") */ -}}
{{- define "valor.certificate" -}}
{{- $root := .root -}}
{{- $object := printf "%s-tls" .name -}}
{{- if $root.Values.tls.issuerRef.name -}}
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  {{- include "valor.metadata" (dict "root" $root "name" .name "object" $object) | nindent 2 }}
spec:
  secretName: {{ include "valor.fullname" $root }}-{{ $object }}
  commonName: {{ .name }}
  dnsNames:
    {{- include "valor.hosts" (list $root .name) | fromJsonArray | toYaml | nindent 4 }}
  usages: [digital signature, server auth, client auth]
  privateKey: {algorithm: ECDSA, size: 256, rotationPolicy: Always}
  issuerRef:
    {{- toYaml $root.Values.tls.issuerRef | nindent 4 }}
{{- else -}}
{{- include "valor.generate" $root -}}
{{- $made := index $root.Values.generated $object -}}
apiVersion: v1
kind: Secret
metadata:
  {{- include "valor.metadata" (dict "root" $root "name" .name "object" $object) | nindent 2 }}
  annotations:
    valor/issued: {{ index $made.annotations "valor/issued" | quote }}
    valor/names: {{ index $made.annotations "valor/names" | quote }}
type: kubernetes.io/tls
data:
  {{- toYaml $made.data | nindent 2 }}
{{- end -}}
{{- end -}}
