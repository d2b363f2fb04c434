{{- /* What all pods have in common: who they run as, what they may use, where their files are. */ -}}

{{- define "valor.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "valor.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- /* Memory and disk are what is asked for: a pod that needs more is the one that ends. CPU is limited only if a value says so. */ -}}
{{- define "valor.resources" -}}
requests:
  cpu: {{ .cpu }}
  memory: {{ .memory }}
  ephemeral-storage: {{ .disk }}
limits:
  {{- with .cpuLimit }}
  cpu: {{ . }}
  {{- end }}
  memory: {{ .memory }}
  ephemeral-storage: {{ .disk }}
{{- end -}}

{{- /* The head of a pod's spec. */ -}}
{{- define "valor.podHead" -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
serviceAccountName: {{ include "valor.serviceAccount" . }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "valor.podSecurity" 10001 | nindent 2 }}
{{- end -}}

{{- define "valor.serviceAccount" -}}
{{- .own.serviceAccount.name | default (printf "%s-%s" (include "valor.fullname" .root) .name) -}}
{{- end -}}

{{- /* Where a pod may run. */ -}}
{{- define "valor.placement" -}}
{{- with .own.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .own.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .own.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .own.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Volumes that a service's pods have, and those of its migration as well. */ -}}
{{- define "valor.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: {{ .own.tmpSize }}}
{{- with include "valor.secretSources" . }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- . | nindent 6 }}
{{- end }}
{{- with .own.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "valor.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: data, mountPath: /data}
{{- if include "valor.secretSources" . }}
- {name: secrets, mountPath: /run/valor/secrets, readOnly: true}
{{- end }}
{{- with .own.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* A volume of its own where a size says so, else one that ends with its pod: (dict "storage" … "claim" name). */ -}}
{{- define "valor.storage" -}}
{{- if .storage.size }}
persistentVolumeClaim: {claimName: {{ .claim }}}
{{- else }}
emptyDir: {sizeLimit: 1Gi}
{{- end }}
{{- end -}}

{{- /*
Probes ask the plaintext health port. Being alive is the process's own matter; being ready is the service's. A probe that finds
nobody waits for its whole time, so the first ones are short: a process is there within seconds, and has two minutes.
*/ -}}
{{- define "valor.probes" -}}
startupProbe:
  grpc: {port: 7001}
  periodSeconds: 1
  timeoutSeconds: 1
  failureThreshold: 120
livenessProbe:
  grpc: {port: 7001}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  {{- with .house.serves }}
  grpc: {port: 7001, service: {{ . }}}
  {{- else }}
  grpc: {port: 7001}
  {{- end }}
  periodSeconds: 3
  timeoutSeconds: 5
  failureThreshold: 2
{{- end -}}
