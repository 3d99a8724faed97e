{{/* What the schema cannot say: each refusal is one sentence that names what to do. */}}
{{- define "kernel.refusals" -}}
{{- $v := .Values -}}
{{- if and (eq $v.nodeEnv "production") (ne $v.stream.transport "kafka") -}}
{{- fail "stream.transport: production refuses any but kafka" -}}
{{- end -}}
{{- if and (eq $v.nodeEnv "production") (not $v.founding) (not (include "kernel.hasTrustRoot" .)) -}}
{{- fail "trustRoot is missing: give the audit keys to trust (--set-file trustRoot.signersJson=signers.json), or set founding=true for the very first start" -}}
{{- end -}}
{{- if and $v.trustRoot.configMap $v.trustRoot.signersJson -}}
{{- fail "trustRoot.configMap and trustRoot.signersJson exclude each other" -}}
{{- end -}}
{{- if and (eq $v.secrets.provider "csi") (not $v.secrets.csi.address) -}}
{{- fail "secrets.csi.address is missing: the address of Vault or OpenBao" -}}
{{- end -}}
{{- if and (eq $v.secrets.provider "external-secrets") (not $v.secrets.externalSecrets.store.name) -}}
{{- fail "secrets.externalSecrets.store.name is missing: the SecretStore to read from" -}}
{{- end -}}
{{- if and (ne $v.secrets.provider "existing") (not $v.secrets.pathPrefix) -}}
{{- fail "secrets.pathPrefix is missing: the path under which each component has its secrets" -}}
{{- end -}}
{{- if and (eq $v.certificates.provider "cert-manager") (not $v.certificates.issuer.name) -}}
{{- fail "certificates.issuer.name is missing: the issuer of the processes' certificates" -}}
{{- end -}}
{{- if and $v.traces.endpoint (not $v.connections.otlp.to) -}}
{{- fail "connections.otlp.to is empty: say where the collector of traces.endpoint is, as peers of a NetworkPolicy" -}}
{{- end -}}
{{- if and (ne $v.web.exposure "none") (not $v.web.enabled) -}}
{{- fail "web.exposure needs web.enabled" -}}
{{- end -}}
{{- if and $v.autoscaling.enabled (lt (int $v.autoscaling.maxReplicas) (int (index $v.components "kernel").replicas)) -}}
{{- fail "autoscaling.maxReplicas is less than components.kernel.replicas, its floor" -}}
{{- end -}}
{{- end -}}

{{/*
Replicas of a component. Followers of the chain wait for the trust root while a kernel is being founded. What the
autoscaler has set stays: with a fixed number an upgrade would take it back, and server-side apply would refuse it.
*/}}
{{- define "kernel.replicas" -}}
{{- $v := .root.Values -}}
{{- $replicas := int (index $v.components .name).replicas -}}
{{- if and $v.founding (not (has .name (list "kernel" "signing-proxy"))) }}{{ $replicas = 0 }}{{ end -}}
{{- if and (eq .name "kernel") $v.autoscaling.enabled -}}
{{- with lookup "apps/v1" "Deployment" .root.Release.Namespace (printf "%s-kernel" (include "kernel.fullname" .root)) -}}
{{- $replicas = max $replicas (int .spec.replicas) -}}
{{- end -}}
{{- end -}}
{{- $replicas -}}
{{- end -}}
