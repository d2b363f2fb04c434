{{- /* Volumes that one service alone has. */ -}}
{{- define "valor.ownVolumes" -}}
{{- $full := include "valor.fullname" .root -}}
{{- $knowledge := .root.Values.settings.knowledge -}}
- name: data
  {{- if eq .name "testdc" }}
  {{- include "valor.storage" (dict "storage" .root.Values.sandboxTelegram.storage "claim" (printf "%s-testdc" $full)) | nindent 2 }}
  {{- else }}
  emptyDir: {sizeLimit: {{ .own.dataSize }}}
  {{- end }}
{{- if ne .name "testdc" }}
- name: tls
  secret: {secretName: {{ $full }}-{{ .name }}-tls, defaultMode: 0440}
{{- end }}
{{- if include "valor.files" . }}
- name: files
  configMap: {name: {{ $full }}-{{ .name }}-files}
{{- end }}
{{- if and (eq .name "telegram") .root.Values.sandboxTelegram.enabled }}
- name: sandbox
  emptyDir: {sizeLimit: 1Mi}
- name: sandbox-key
  secret: {secretName: {{ $full }}-sandbox, defaultMode: 0440, items: [{key: TESTDC_KEY, path: key.pem}]}
{{- end }}
{{- if and (eq .name "toolrunner") $knowledge.claim }}
- name: knowledge
  persistentVolumeClaim: {claimName: {{ $knowledge.claim }}, readOnly: true}
{{- else if and (eq .name "toolrunner") $knowledge.configMap }}
- name: knowledge
  configMap: {name: {{ $knowledge.configMap }}}
{{- end }}
{{- end -}}

{{- define "valor.ownMounts" -}}
{{- if ne .name "testdc" }}
- {name: tls, mountPath: /run/valor/tls, readOnly: true}
{{- end }}
{{- if include "valor.files" . }}
- {name: files, mountPath: /run/valor/files, readOnly: true}
{{- end }}
{{- if and (eq .name "telegram") .root.Values.sandboxTelegram.enabled }}
- {name: sandbox, mountPath: /run/valor/sandbox, readOnly: true}
{{- end }}
{{- if and (eq .name "toolrunner") (or .root.Values.settings.knowledge.claim .root.Values.settings.knowledge.configMap) }}
- {name: knowledge, mountPath: /run/valor/knowledge, readOnly: true}
{{- end }}
{{- end -}}

{{- /* Telegram has to know the public half of the sandbox's key, and sees no more of it. */ -}}
{{- define "valor.sandboxKey" -}}
{{- $testdc := include "valor.service" (list .root "testdc") | fromYaml -}}
- name: sandbox-key
  image: {{ include "valor.image" (merge (dict "root" .root) $testdc) }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  command: [sh, -c, python -m services.testdc public-key >/run/valor/sandbox/server.pem]
  env:
    - {name: TESTDC_KEY, value: /run/valor/sandbox-key/key.pem}
  securityContext:
    {{- include "valor.containerSecurity" . | nindent 4 }}
  resources:
    {{- include "valor.resources" .own.resources | nindent 4 }}
  volumeMounts:
    - {name: sandbox, mountPath: /run/valor/sandbox}
    - {name: sandbox-key, mountPath: /run/valor/sandbox-key, readOnly: true}
{{- end -}}
