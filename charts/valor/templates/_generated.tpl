{{- /*
What the chart makes itself: an authority with a certificate for each service, and the house's own secrets. It is made once
a rendering (in .Values.generated, so that a Secret and the checksums of it agree) and kept over upgrades: what the cluster
holds already is taken over. Where nothing can be looked up (`helm template`), everything is new.
*/ -}}

{{- define "valor.generate" -}}
{{- if not (hasKey .Values "generated") -}}
{{- $_ := set .Values "generated" dict -}}
{{- include "valor.generateSecrets" . -}}
{{- if not .Values.tls.issuerRef.name -}}{{- include "valor.generateCertificates" . -}}{{- end -}}
{{- end -}}
{{- end -}}

{{- /* A Secret of this release as the cluster holds it: JSON of its data and its annotations. */ -}}
{{- define "valor.kept" -}}
{{- $root := first . -}}
{{- $found := lookup "v1" "Secret" $root.Release.Namespace (printf "%s-%s" (include "valor.fullname" $root) (last .)) -}}
{{- $metadata := get $found "metadata" | default dict -}}
{{- dict "data" (get $found "data" | default dict) "annotations" (get $metadata "annotations" | default dict) | toJson -}}
{{- end -}}

{{- define "valor.generateSecrets" -}}
{{- $full := include "valor.fullname" . -}}
{{- $made := dict -}}
{{- if not .Values.secrets.house -}}
{{- $_ := set $made "house" (dict "VALOR_SCOPE_KEY" (randAlphaNum 48) "MONITOR_HTTP_TOKEN" (randAlphaNum 48)) -}}
{{- end -}}
{{- if include "valor.bundled" . -}}
{{- $password := randAlphaNum 32 -}}
{{- $url := printf "%s:%s@%s-postgres:5432/valor" "postgresql://valor" $password $full -}}
{{- $_ := set $made "postgres" (dict "POSTGRES_PASSWORD" $password "VALOR_DATABASE" $url) -}}
{{- end -}}
{{- if .Values.sandboxTelegram.enabled -}}
{{- $token := printf "1%s:%s" (randNumeric 5) (randAlphaNum 32) -}}
{{- $sandbox := dict "TESTDC_TOKEN" (randAlphaNum 48) "TELEGRAM_BOT_TOKEN" $token -}}
{{- /* The data centre wants an RSA key of 2048 bits, which comes with such a certificate. It asks for no application. */ -}}
{{- $_ := set $sandbox "TESTDC_KEY" (genSelfSignedCert "testdc" nil nil 1).Key -}}
{{- $_ := set $sandbox "TELEGRAM_API_ID" "1" -}}
{{- $_ := set $sandbox "TELEGRAM_API_HASH" (repeat 32 "0") -}}
{{- $_ := set $made "sandbox" $sandbox -}}
{{- end -}}
{{- if .Values.tests.enabled -}}
{{- $stranger := genCAWithKey "a stranger" 3650 (genPrivateKey "ecdsa") -}}
{{- $forged := genSignedCertWithKey "pipeline" nil (list "pipeline") 3650 $stranger (genPrivateKey "ecdsa") -}}
{{- $_ := set $made "test-forgery" (dict "tls.crt" $forged.Cert "tls.key" $forged.Key) -}}
{{- end -}}
{{- range $name, $fresh := $made -}}
{{- $kept := (include "valor.kept" (list $ $name) | fromJson).data -}}
{{- $data := dict -}}
{{- /* All or none: a password and the URL that holds it belong together. */ -}}
{{- $whole := true -}}
{{- range $key, $value := $fresh -}}
{{- $_ := set $data $key ($value | b64enc) -}}
{{- $whole = and $whole (hasKey $kept $key) -}}
{{- end -}}
{{- $_ := set $.Values.generated $name (ternary $kept $data $whole) -}}
{{- end -}}
{{- end -}}

{{- define "valor.generateCertificates" -}}
{{- $kept := (include "valor.kept" (list . "authority") | fromJson).data -}}
{{- $authority := dict -}}
{{- if hasKey $kept "ca.key" -}}
{{- $authority = buildCustomCert (index $kept "ca.crt") (index $kept "ca.key") -}}
{{- else -}}
{{- $authority = genCAWithKey (printf "%s authority" (include "valor.fullname" .)) 3650 (genPrivateKey "ecdsa") -}}
{{- end -}}
{{- $_ := set .Values.generated "authority" (dict "ca.crt" ($authority.Cert | b64enc) "ca.key" ($authority.Key | b64enc)) -}}
{{- range $name := include "valor.identities" . | fromJsonArray -}}
{{- $names := include "valor.hosts" (list $ $name) | fromJsonArray -}}
{{- $old := include "valor.kept" (list $ (printf "%s-tls" $name)) | fromJson -}}
{{- $issued := index $old.annotations "valor/issued" | default "0" | int64 -}}
{{- $fits := and (eq (index $old.data "ca.crt" | default "") ($authority.Cert | b64enc)) (eq (index $old.annotations "valor/names" | default "") (join " " $names)) -}}
{{- $young := gt $issued (sub (now | unixEpoch | int64) (mul 86400 $.Values.tls.renewAfterDays)) -}}
{{- if and $fits $young -}}
{{- $_ := set $.Values.generated (printf "%s-tls" $name) $old -}}
{{- else -}}
{{- $made := genSignedCertWithKey $name nil $names 3650 $authority (genPrivateKey "ecdsa") -}}
{{- $data := dict "ca.crt" ($authority.Cert | b64enc) "tls.crt" ($made.Cert | b64enc) "tls.key" ($made.Key | b64enc) -}}
{{- $annotations := dict "valor/issued" (now | unixEpoch) "valor/names" (join " " $names) -}}
{{- $_ := set $.Values.generated (printf "%s-tls" $name) (dict "data" $data "annotations" $annotations) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Who has a certificate: every service of ours, KEDA where it asks monitor, and the test of the installation. */ -}}
{{- define "valor.identities" -}}
{{- $names := without (include "valor.present" . | fromJsonArray) "testdc" -}}
{{- if eq (toString .Values.autoscaling.mode) "keda" -}}{{- $names = append $names "keda" -}}{{- end -}}
{{- if .Values.tests.enabled -}}{{- $names = append $names "test" -}}{{- end -}}
{{- toJson $names -}}
{{- end -}}

{{- /* The host names of an identity: those of its Services in every form, or its name where it takes no calls. */ -}}
{{- define "valor.hosts" -}}
{{- $root := first . -}}
{{- $entry := get (include "valor.house" $root | fromYaml) (last .) -}}
{{- $hosts := list -}}
{{- if get ($entry | default dict) "serves" -}}
{{- range $suffix := list "" "-replicas" -}}
{{- $host := printf "%s-%s%s" (include "valor.fullname" $root) (last $) $suffix -}}
{{- $space := printf "%s.%s" $host $root.Release.Namespace -}}
{{- $hosts = concat $hosts (list $host $space (printf "%s.svc" $space) (printf "%s.svc.%s" $space $root.Values.clusterDomain)) -}}
{{- end -}}
{{- end -}}
{{- $hosts | default (list (last .)) | toJson -}}
{{- end -}}
