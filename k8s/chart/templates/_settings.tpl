{{/*
The environment of a component, as YAML: every variable but the paths of secrets. (dict "root" $ "name" <component>)
`settings` of the component wins.
*/}}
{{- define "kernel.settings" -}}
{{- $computed := include "kernel.computedSettings" . | fromYaml -}}
{{- range $file, $variable := include "kernel.secrets" . | fromYaml -}}
{{- if $variable }}{{ $_ := set $computed $variable (printf "/etc/kernel/secrets/%s" $file) }}{{ end -}}
{{- end -}}
{{- $own := (index .root.Values.components .name).settings | default dict -}}
{{- range $name, $value := merge (dict) $own $computed }}
{{ $name }}: {{ $value | toString | quote }}
{{- end }}
{{- end -}}

{{- define "kernel.computedSettings" -}}
{{- $v := .root.Values -}}
{{- $uses := (get (include "kernel.components" .root | fromYaml) .name).uses -}}
{{- $trusts := include "kernel.authorities" . | fromJsonArray -}}
NODE_ENV: {{ $v.nodeEnv }}
KERNEL_ORIGIN: {{ $v.origin | quote }}
KERNEL_SHARDS: {{ $v.shards | quote }}
KERNEL_LOG_LEVEL: {{ $v.logLevel }}
KERNEL_MANAGEMENT_PORT: '8444'
{{- with $v.traces.endpoint }}
OTEL_EXPORTER_OTLP_ENDPOINT: {{ . | quote }}
OTEL_TRACES_SAMPLER_ARG: {{ $v.traces.share | quote }}
{{- if has "otlp" $trusts }}
OTEL_EXPORTER_OTLP_CERTIFICATE: /etc/kernel/authorities/otlp.crt
{{- end }}
{{- end }}
{{- if and (has "postgres" $uses) (include "kernel.hasTrustRoot" .root) }}
KERNEL_TRUST_ROOT_FILE: /etc/kernel/config/signers.json
{{- end }}
{{- if eq .name "kernel" }}
{{- include "kernel.settingsOfKernel" . }}
{{- end }}
{{- if eq .name "signing-proxy" }}
{{- include "kernel.settingsOfProxy" . }}
{{- end }}
{{- if has "signing-proxy" $uses }}
KMS_ENDPOINT: https://{{ include "kernel.host" (dict "root" .root "end" "signing-proxy") }}:8445
{{- end }}
{{- if or (has "signing-proxy" $uses) (has "upstream-proxy" $uses) }}
KMS_CA_FILE: /etc/kernel/client/ca.crt
KMS_CLIENT_CERT_FILE: /etc/kernel/client/tls.crt
KMS_CLIENT_KEY_FILE: /etc/kernel/client/tls.key
{{- end }}
{{- if has .name (list "outbox-relay" "indexer" "archiver" "log-publisher") }}
KERNEL_STREAM: {{ $v.stream.transport }}
{{- if eq $v.stream.transport "kafka" }}
{{- include "kernel.settingsOfKafka" . }}
{{- end }}
{{- end }}
{{- if has "s3" $uses }}
KERNEL_ARCHIVE: s3
S3_BUCKET: {{ required "archive.bucket is missing: name the bucket with versioning and object lock" $v.archive.bucket }}
S3_REGION: {{ $v.archive.region }}
{{- with $v.archive.endpoint }}
S3_ENDPOINT: {{ . | quote }}
{{- end }}
{{- with $v.archive.accessKeyId }}
S3_ACCESS_KEY_ID: {{ . | quote }}
{{- end }}
{{- if has "s3" $trusts }}
S3_CA_FILE: /etc/kernel/authorities/s3.crt
{{- end }}
{{- if ne .name "kernel" }}
KERNEL_ARCHIVE_RETENTION_MODE: {{ $v.archive.retentionMode }}
KERNEL_ARCHIVE_RETENTION_DAYS: {{ $v.archive.retentionDays | quote }}
{{- end }}
{{- end }}
{{- if and $v.log.policy (has .name (list "kernel" "log-publisher")) }}
KERNEL_LOG_POLICY_FILE: /etc/kernel/config/log-policy
{{- end }}
{{- if eq .name "log-publisher" }}
KERNEL_LOG_LISTEN_PORT: '8459'
{{- if has "witnesses" $trusts }}
KERNEL_LOG_WITNESS_CA_FILE: /etc/kernel/authorities/witnesses.crt
{{- end }}
{{- end }}
{{- end -}}

{{- define "kernel.settingsOfServer" }}
KERNEL_TLS_CERT_FILE: /etc/kernel/tls/tls.crt
KERNEL_TLS_KEY_FILE: /etc/kernel/tls/tls.key
{{- end -}}

{{- define "kernel.settingsOfKernel" -}}
{{- $v := .root.Values -}}
{{- $trusts := include "kernel.authorities" . | fromJsonArray -}}
{{- include "kernel.settingsOfServer" . }}
KERNEL_TLS_CLIENT_CA_FILE: {{ has "callers" $trusts | ternary "/etc/kernel/authorities/callers.crt" "/etc/kernel/tls/ca.crt" }}
{{- if and (has "callers" $trusts) $v.authorities.callers.crlKey }}
KERNEL_TLS_CLIENT_CRL_FILE: /etc/kernel/authorities/callers.crl
{{- end }}
KERNEL_API_PORT: '8443'
KERNEL_ROLE_BINDINGS_FILE: /etc/kernel/config/role-bindings.json
OPENAPI_PATH: /app/openapi.yaml
{{- if $v.approverPoolJson }}
KERNEL_APPROVER_POOL_FILE: /etc/kernel/config/approver-pool.json
{{- end }}
{{- if $v.notifications }}
KERNEL_WEBHOOKS_FILE: /etc/kernel/config/webhooks.json
{{- end }}
{{- if has "webhooks" $trusts }}
KERNEL_WEBHOOK_CA_FILE: /etc/kernel/authorities/webhooks.crt
{{- end }}
{{- if $v.web.enabled }}
KERNEL_WEB_PORT: '8440'
KERNEL_WEB_ORIGIN: {{ required "web.origin is missing: web.enabled opens the listener for people" $v.web.origin | quote }}
KERNEL_WEB_TRUSTED_PROXIES: {{ $v.web.trustedProxies | quote }}
{{- if eq $v.web.tls "pod" }}
KERNEL_WEB_TLS_CERT_FILE: /etc/kernel/tls/tls.crt
KERNEL_WEB_TLS_KEY_FILE: /etc/kernel/tls/tls.key
{{- else }}
KERNEL_WEB_BEHIND_TLS_PROXY: 'true'
{{- end }}
KERNEL_OIDC_ISSUER: {{ required "web.oidc.issuer is missing: people sign in there" $v.web.oidc.issuer | quote }}
KERNEL_OIDC_CLIENT_ID: {{ required "web.oidc.clientId is missing" $v.web.oidc.clientId | quote }}
KERNEL_OIDC_ROLES_FILE: /etc/kernel/config/oidc-roles.json
{{- if has "identity-provider" $trusts }}
KERNEL_OIDC_CA_FILE: /etc/kernel/authorities/identity-provider.crt
{{- end }}
{{- end }}
{{- end -}}

{{- define "kernel.settingsOfProxy" -}}
{{- $v := .root.Values.signingProxy -}}
{{- include "kernel.settingsOfServer" . }}
KERNEL_TLS_CLIENT_CA_FILE: /etc/kernel/tls/ca.crt
KERNEL_LISTEN_PORT: '8445'
KERNEL_SIGNER: {{ $v.signer }}
KERNEL_SIGNING_KEYS_FILE: /etc/kernel/config/signing-keys.json
KERNEL_SIGNING_CLIENTS_FILE: /etc/kernel/config/signing-clients.json
{{- with $v.operators }}
KERNEL_SIGNING_OPERATORS: {{ . | toJson | quote }}
{{- end }}
{{- if $v.mayMakeKeys }}
KERNEL_SIGNING_KEY_MAKERS: {{ list (include "kernel.commonName" (dict "root" .root "name" "kernel")) | toJson | quote }}
{{- end }}
{{- if eq $v.signer "vault-transit" }}
KERNEL_VAULT_ADDRESS: {{ required "signingProxy.vault.address is missing: the transit engine holds the keys" $v.vault.address | quote }}
KERNEL_VAULT_TRANSIT_MOUNT: {{ $v.vault.transitMount }}
KERNEL_VAULT_AUTH: kubernetes
KERNEL_VAULT_AUTH_MOUNT: {{ $v.vault.authMount }}
KERNEL_VAULT_ROLE: {{ $v.vault.role | default (printf "%s-signing-proxy" (include "kernel.fullname" .root)) }}
KERNEL_VAULT_JWT_FILE: /var/run/secrets/vault/token
{{- with $v.vault.namespace }}
KERNEL_VAULT_NAMESPACE: {{ . | quote }}
{{- end }}
{{- if has "vault" (include "kernel.authorities" . | fromJsonArray) }}
KERNEL_VAULT_CA_FILE: /etc/kernel/authorities/vault.crt
{{- end }}
{{- else if eq $v.signer "aws-kms" }}
KERNEL_AWS_KMS_REGION: {{ required "signingProxy.awsKms.region is missing" $v.awsKms.region }}
{{- with $v.awsKms.endpoint }}
KERNEL_AWS_KMS_ENDPOINT: {{ . | quote }}
{{- end }}
{{- else }}
KMS_ENDPOINT: {{ required "signingProxy.upstream is missing: the server that answers as openapi/signing-proxy.yaml says" $v.upstream | quote }}
{{- end }}
{{- end -}}

{{- define "kernel.settingsOfKafka" -}}
{{- $v := .root.Values.stream }}
KAFKA_BROKERS: {{ join "," $v.brokers | required "stream.brokers is empty: name some brokers as host:port" | quote }}
KAFKA_TOPIC: {{ $v.topic }}
KAFKA_TLS: {{ $v.tls | quote }}
KAFKA_SASL_MECHANISM: {{ $v.sasl.mechanism }}
{{- if ne $v.sasl.mechanism "none" }}
KAFKA_USERNAME: {{ printf "%s%s" $v.sasl.usernamePrefix .name }}
{{- end }}
{{- if has "kafka" (include "kernel.authorities" . | fromJsonArray) }}
KAFKA_CA_FILE: /etc/kernel/authorities/kafka.crt
{{- end }}
{{- if $v.clientCertificates }}
KAFKA_CERT_FILE: /etc/kernel/client/tls.crt
KAFKA_KEY_FILE: /etc/kernel/client/tls.key
{{- end }}
{{- if eq .name "outbox-relay" }}
KAFKA_REPLICATION_FACTOR: {{ $v.replicationFactor | quote }}
KAFKA_MIN_INSYNC_REPLICAS: {{ $v.minInsyncReplicas | quote }}
{{- end }}
{{- end -}}
