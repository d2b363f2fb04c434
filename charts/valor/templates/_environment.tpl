{{- /* The environment of a service, as YAML of strings, sorted. Secrets are files and never stand here. */ -}}

{{- define "valor.environment" -}}
{{- $root := .root -}}
{{- $full := include "valor.fullname" $root -}}
{{- $env := dict -}}
{{- if ne .name "testdc" -}}{{- $_ := set $env "VALOR_TLS" "/run/valor/tls" -}}{{- end -}}
{{- if include "valor.secretSources" . -}}{{- $_ := set $env "VALOR_SECRETS" "/run/valor/secrets" -}}{{- end -}}
{{- if .house.watched -}}
{{- $_ := set $env "VALOR_DATA" "/data" -}}
{{- $_ := set $env "VALOR_LOG_LEVEL" $root.Values.settings.logLevel -}}
{{- $memory := include "valor.megabytes" .own.resources.memory | int -}}
{{- $_ := set $env "VALOR_MEMORY_LIMIT" (include "valor.part" (list $memory 70)) -}}
{{- $_ := set $env "VALOR_MEMORY_EMERGENCY" (include "valor.part" (list $memory 85)) -}}
{{- $_ := set $env "VALOR_HEALTH" "0.0.0.0:7001" -}}
{{- $_ := set $env "VALOR_METRICS" "0.0.0.0:7002" -}}
{{- with $root.Values.settings.otlpEndpoint -}}{{- $_ := set $env "OTEL_EXPORTER_OTLP_ENDPOINT" . -}}{{- end -}}
{{- end -}}
{{- if .house.serves -}}{{- $_ := set $env (printf "%s_LISTEN" (upper .name)) "0.0.0.0:7000" -}}{{- end -}}
{{- range .house.calls -}}{{- $_ := set $env (printf "%s_ADDRESS" (upper .)) (printf "%s-%s:7000" $full .) -}}{{- end -}}
{{- range $name, $path := .house.settings -}}
{{- $value := include "valor.setting" (list $root.Values.settings $path) -}}
{{- if and $value (ne $value "0") -}}{{- $_ := set $env $name $value -}}{{- end -}}
{{- end -}}
{{- $own := printf "valor.environment.%s" .name -}}
{{- if has .name (list "telegram" "agent" "people" "monitor" "cli" "testdc") -}}
{{- $env = merge $env (include $own . | fromYaml) -}}
{{- end -}}
{{- toYaml $env -}}
{{- end -}}

{{- define "valor.megabytes" -}}
{{- mul (regexFind "^[0-9]+" .) (ternary 1024 1 (hasSuffix "Gi" .)) -}}
{{- end -}}

{{- define "valor.part" -}}
{{- div (mul (first .) (last .)) 100 -}}
{{- end -}}

{{- /* One of the settings by its path, as a service reads it: lists with commas, numbers without exponents. */ -}}
{{- define "valor.setting" -}}
{{- $value := first . -}}
{{- range $key := splitList "." (last .) -}}{{- $value = index $value $key -}}{{- end -}}
{{- if kindIs "slice" $value -}}
{{- $words := list -}}
{{- range $value -}}{{- $words = append $words (include "valor.word" .) -}}{{- end -}}
{{- join "," $words -}}
{{- else -}}
{{- include "valor.word" $value -}}
{{- end -}}
{{- end -}}

{{- /* Helm reads the numbers of a values file as floats, and would write -1001234567890 as -1.00123456789e+12. */ -}}
{{- define "valor.word" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) -}}{{- int64 . -}}{{- else -}}{{- . -}}{{- end -}}
{{- end -}}

{{- define "valor.environment.telegram" -}}
{{- if .root.Values.sandboxTelegram.enabled }}
TELEGRAM_SERVER: {{ include "valor.fullname" .root }}-testdc:7000
TELEGRAM_SERVER_KEY: /run/valor/sandbox/server.pem
{{- else if .root.Values.settings.telegramServer.key }}
TELEGRAM_SERVER_KEY: /run/valor/files/server.pem
{{- end }}
{{- end -}}

{{- define "valor.environment.agent" -}}
VALOR_MODEL: {{ include "valor.model" .root | quote }}
{{- if .root.Values.settings.persona }}
VALOR_PERSONA: /run/valor/files/persona.md
{{- end }}
{{- end -}}

{{- define "valor.environment.people" -}}
{{- if and .root.Values.sandboxTelegram.enabled (not .root.Values.settings.owner) }}
VALOR_OWNER: "@sam"
{{- end }}
{{- end -}}

{{- define "valor.environment.monitor" -}}
{{- $full := include "valor.fullname" .root -}}
{{- $targets := list -}}
{{- $largest := 0 -}}
{{- range include "valor.with" (list .root "watched") | fromJsonArray -}}
{{- $targets = append $targets (printf "%s=%s-%s-replicas:7001/7002" . $full .) -}}
{{- $own := (include "valor.service" (list $.root .) | fromYaml).own -}}
{{- $largest = max $largest (include "valor.megabytes" $own.resources.memory | int) -}}
{{- end -}}
MONITOR_HTTP: 0.0.0.0:7003
MONITOR_MEMORY_LIMIT: {{ include "valor.part" (list $largest 70) | quote }}
MONITOR_MEMORY_EMERGENCY: {{ include "valor.part" (list $largest 85) | quote }}
MONITOR_TARGETS: {{ join "," $targets }}
{{- end -}}

{{- define "valor.environment.cli" -}}
{{- if .root.Values.sandboxTelegram.enabled }}
TESTDC_CONTROL: {{ include "valor.fullname" .root }}-testdc:7001
{{- end }}
{{- end -}}

{{- define "valor.environment.testdc" -}}
TESTDC_FOLDER: /data
TESTDC_LISTEN: 0.0.0.0:7000
TESTDC_CONTROL: 0.0.0.0:7001
TESTDC_KEY: /run/valor/secrets/key.pem
{{- end -}}

{{- /* Files that a service reads beside its environment, as YAML: name → text. */ -}}
{{- define "valor.files" -}}
{{- $settings := .root.Values.settings -}}
{{- if and (eq .name "agent") $settings.persona -}}
{{- dict "persona.md" $settings.persona | toYaml -}}
{{- else if and (eq .name "telegram") $settings.telegramServer.key -}}
{{- dict "server.pem" $settings.telegramServer.key | toYaml -}}
{{- end -}}
{{- end -}}
