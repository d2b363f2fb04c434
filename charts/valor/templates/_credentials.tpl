{{- /*
Where a service's secrets are. Each is asked for once: rendering stops with one sentence that says what to set.
*/ -}}

{{- define "valor.bundled" -}}
{{- if or .Values.postgres.bundled (and .Values.sandboxTelegram.enabled (not .Values.secrets.database)) }}true{{ end -}}
{{- end -}}

{{- /* The model that answers: what the settings name, else what comes with the kind of installation. */ -}}
{{- define "valor.model" -}}
{{- .Values.settings.model | default (ternary "anthropic:claude-sonnet-4-5" "offline" (not (empty .Values.secrets.model))) -}}
{{- end -}}

{{- define "valor.check" -}}
{{- $sandbox := .Values.sandboxTelegram.enabled -}}
{{- $missing := list -}}
{{- if and $sandbox .Values.secrets.telegram -}}
{{- fail "sandboxTelegram.enabled=true is for trying Valor out and takes the place of Telegram: unset it, or unset secrets.telegram." -}}
{{- end -}}
{{- if and .Values.postgres.bundled .Values.secrets.database -}}
{{- fail "postgres.bundled=true takes the place of your own server: unset it, or unset secrets.database." -}}
{{- end -}}
{{- if not $sandbox -}}
{{- if not .Values.secrets.telegram -}}{{- $missing = append $missing "secrets.telegram" -}}{{- end -}}
{{- if not (or .Values.secrets.model .Values.settings.model) -}}{{- $missing = append $missing "secrets.model" -}}{{- end -}}
{{- if not (or .Values.secrets.database .Values.postgres.bundled) -}}{{- $missing = append $missing "secrets.database" -}}{{- end -}}
{{- with $missing -}}
{{- fail (printf "Set %s to the name of a Secret each (the chart's README.md says what they hold), or sandboxTelegram.enabled=true to try Valor out." (join ", " .)) -}}
{{- end -}}
{{- if and .Values.postgres.bundled (not .Values.postgres.storage.size) -}}
{{- fail "postgres.storage.size is not set: beside the real Telegram the bundled PostgreSQL needs a volume, or a new pod would lose every chat." -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /*
The Secrets that a service may read, as the sources of a projected volume. What is missing in those of telegram, agent and monitor
they name themselves. Without VALOR_DATABASE it would work on a file that ends with its pod, so that key has to be there.
*/ -}}
{{- define "valor.secretSources" -}}
{{- $root := .root -}}
{{- $full := include "valor.fullname" $root -}}
{{- range .house.secrets }}
{{- if eq . "telegram" }}
{{- if $root.Values.sandboxTelegram.enabled }}
- secret:
    name: {{ $full }}-sandbox
    items:
      - {key: TELEGRAM_API_ID, path: TELEGRAM_API_ID}
      - {key: TELEGRAM_API_HASH, path: TELEGRAM_API_HASH}
      - {key: TELEGRAM_BOT_TOKEN, path: TELEGRAM_BOT_TOKEN}
{{- else }}
- secret:
    name: {{ $root.Values.secrets.telegram }}
{{- end }}
{{- else if eq . "database" }}
- secret:
    {{- if include "valor.bundled" $root }}
    name: {{ $full }}-postgres
    {{- else }}
    name: {{ $root.Values.secrets.database }}
    {{- end }}
    items:
      - {key: VALOR_DATABASE, path: VALOR_DATABASE}
{{- else if and (has . (list "model" "alerts")) (get $root.Values.secrets .) }}
- secret:
    name: {{ get $root.Values.secrets . }}
{{- else if eq . "scope" }}
- secret:
    name: {{ $root.Values.secrets.house | default (printf "%s-house" $full) }}
    items:
      - {key: VALOR_SCOPE_KEY, path: VALOR_SCOPE_KEY}
{{- else if eq . "monitor" }}
- secret:
    name: {{ $root.Values.secrets.house | default (printf "%s-house" $full) }}
    items:
      - {key: MONITOR_HTTP_TOKEN, path: MONITOR_HTTP_TOKEN}
{{- else if and (eq . "sandbox") $root.Values.sandboxTelegram.enabled }}
- secret:
    name: {{ $full }}-sandbox
    items:
      - {key: TESTDC_TOKEN, path: TESTDC_TOKEN}
      {{- if eq $.name "testdc" }}
      - {key: TELEGRAM_BOT_TOKEN, path: TESTDC_BOT_TOKEN}
      - {key: TESTDC_KEY, path: key.pem}
      {{- else }}
      - {key: TELEGRAM_BOT_TOKEN, path: TELEGRAM_BOT_TOKEN}
      {{- end }}
{{- end }}
{{- end }}
{{- end -}}
