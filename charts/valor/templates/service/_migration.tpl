{{- /* Before an upgrade the tables get what the next version adds; the running version works on them all the same. */ -}}
{{- define "valor.migration" -}}
{{- if and .house.tables .root.Values.migrations.enabled (include "valor.migratable" .root) -}}
{{- $full := include "valor.fullname" .root -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "valor.metadata" (dict "root" .root "name" "migrate" "object" (printf "%s-migrate" .name)) | nindent 2 }}
  annotations:
    helm.sh/hook: pre-upgrade
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  backoffLimit: 0
  activeDeadlineSeconds: {{ .root.Values.migrations.deadlineSeconds }}
  template:
    metadata:
      labels:
        {{- include "valor.selectorLabels" (dict "root" .root "name" "migrate") | nindent 8 }}
    spec:
      {{- include "valor.podHead" . | nindent 6 }}
      {{- with include "valor.placement" . }}
      {{- . | nindent 6 }}
      {{- end }}
      restartPolicy: Never
      containers:
        - name: migrate
          image: {{ include "valor.image" . }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          args: [services.{{ .name }}, migrate]
          env:
            {{- /* The ConfigMap in the cluster is still the last version's. */ -}}
            {{- range $name, $value := include "valor.environment" . | fromYaml }}
            - {name: {{ $name }}, value: {{ $value | quote }}}
            {{- end }}
            {{- with .own.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          securityContext:
            {{- include "valor.containerSecurity" . | nindent 12 }}
          resources:
            {{- include "valor.resources" .own.resources | nindent 12 }}
          volumeMounts:
            {{- include "valor.mounts" . | nindent 12 }}
      volumes:
        {{- include "valor.volumes" . | nindent 8 }}
        - name: data
          emptyDir: {sizeLimit: {{ .own.dataSize }}}
{{- end -}}
{{- end -}}

{{- /* A bundled server that is not there yet has nothing to migrate. */ -}}
{{- define "valor.migratable" -}}
{{- if not (include "valor.bundled" .) }}true{{ else -}}
{{- with lookup "v1" "Secret" .Release.Namespace (printf "%s-postgres" (include "valor.fullname" .)) }}true{{ end -}}
{{- end -}}
{{- end -}}
