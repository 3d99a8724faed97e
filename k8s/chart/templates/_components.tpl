{{/*
What each process uses and where it listens. Settings, secrets, certificates and network policies follow from this table;
docs/kubernetes.md and test/deploy/connections.ts say the same.
*/}}
{{- define "kernel.components" -}}
kernel:
  uses: [postgres, signing-proxy, s3, {{ if .Values.web.enabled }}identity-provider, {{ end }}webhooks, otlp]
  server: api
  drains: true
signing-proxy:
  uses: [marks-database, {{ if eq .Values.signingProxy.signer "vault-transit" }}vault{{ else if eq .Values.signingProxy.signer "aws-kms" }}kms{{ else }}upstream-proxy{{ end }}, otlp]
  server: signing-proxy
  drains: true
outbox-relay:
  uses: [postgres, {{ include "kernel.stream" . }} otlp]
indexer:
  uses: [postgres, {{ include "kernel.stream" . }} otlp]
archiver:
  uses: [postgres, signing-proxy, s3, {{ include "kernel.stream" . }} otlp]
log-publisher:
  uses: [postgres, signing-proxy, s3, witnesses, {{ include "kernel.stream" . }} otlp]
  drains: true
auditor:
  uses: [postgres, signing-proxy, s3, otlp]
{{- end -}}

{{/* Kafka, where events go through it. */}}
{{- define "kernel.stream" -}}
{{- if eq .Values.stream.transport "kafka" }}kafka,{{ end -}}
{{- end -}}

{{/* Components that use something, as a JSON list: (dict "root" $ "what" "postgres"). */}}
{{- define "kernel.usersOf" -}}
{{- $users := list -}}
{{- range $name, $component := include "kernel.components" .root | fromYaml -}}
{{- if has $.what $component.uses }}{{ $users = append $users $name }}{{ end -}}
{{- end -}}
{{- $users | toJson -}}
{{- end -}}

{{/* Whether a component has a client certificate, as "true" or "": (dict "root" $ "name" <component>). */}}
{{- define "kernel.hasClient" -}}
{{- $uses := (get (include "kernel.components" .root | fromYaml) .name).uses -}}
{{- $kafka := and .root.Values.stream.clientCertificates (has "kafka" $uses) -}}
{{- if or (has "signing-proxy" $uses) (has "upstream-proxy" $uses) $kafka }}true{{ end -}}
{{- end -}}

{{/*
Secrets of a component, as YAML: file name -> variable that names the path.
(dict "root" $ "name" <component>)
*/}}
{{- define "kernel.secrets" -}}
{{- $v := .root.Values -}}
{{- $uses := list -}}
{{- with get (include "kernel.components" .root | fromYaml) .name }}{{ $uses = .uses }}{{ end -}}
{{- if eq .name "migrate" }}
DATABASE_OWNER_URL: DATABASE_OWNER_URL_FILE
{{- end }}
{{- if has "postgres" $uses }}
DATABASE_URL: DATABASE_URL_FILE
{{- end }}
{{- if eq .name "kernel" }}
KERNEL_ROW_KEY: KERNEL_ROW_KEY_FILE
{{- if $v.web.enabled }}
KERNEL_OIDC_CLIENT_SECRET: KERNEL_OIDC_CLIENT_SECRET_FILE
{{- end }}
{{- range $v.notifications }}
webhook-{{ .name }}: ''
{{- end }}
{{- end }}
{{- if has "marks-database" $uses }}
KERNEL_SIGNING_MARKS_DATABASE_URL: KERNEL_SIGNING_MARKS_DATABASE_URL_FILE
{{- end }}
{{- if and (has "kafka" $uses) (ne $v.stream.sasl.mechanism "none") }}
KAFKA_PASSWORD: KAFKA_PASSWORD_FILE
{{- end }}
{{- if and (has "s3" $uses) $v.archive.accessKeyId }}
S3_SECRET_ACCESS_KEY: S3_SECRET_ACCESS_KEY_FILE
{{- end }}
{{- end -}}

{{/* Name of the Secret of a component that is not read by the CSI driver: (dict "root" $ "name" <component>). */}}
{{- define "kernel.secretName" -}}
{{- (index .root.Values.components .name).secretName | default (printf "%s-%s" (include "kernel.fullname" .root) .name) -}}
{{- end -}}

{{/* Authorities that a component trusts beside its own, as a JSON list of members of .Values.authorities. */}}
{{- define "kernel.authorities" -}}
{{- $all := .root.Values.authorities -}}
{{- $uses := list "postgres" -}}
{{- with get (include "kernel.components" .root | fromYaml) .name }}{{ $uses = .uses }}{{ end -}}
{{- if has "marks-database" $uses }}{{ $uses = append $uses "postgres" }}{{ end -}}
{{- if eq .name "kernel" }}{{ $uses = append $uses "callers" }}{{ end -}}
{{- $found := list -}}
{{- range $use := $uses | uniq -}}
{{- with get $all $use }}{{ if .configMap }}{{ $found = append $found $use }}{{ end }}{{ end -}}
{{- end -}}
{{- $found | toJson -}}
{{- end -}}
