{{/* Files of a component's ConfigMap, as YAML: name -> text. (dict "root" $ "name" <component>) */}}
{{- define "kernel.files" -}}
{{- $root := .root -}}
{{- $v := $root.Values -}}
{{- $files := dict -}}
{{- $uses := (get (include "kernel.components" $root | fromYaml) .name).uses -}}
{{- if and $v.trustRoot.signersJson (has "postgres" $uses) }}{{ $_ := set $files "signers.json" $v.trustRoot.signersJson }}{{ end -}}
{{- if and $v.log.policy (has .name (list "kernel" "log-publisher")) }}{{ $_ := set $files "log-policy" $v.log.policy }}{{ end -}}
{{- if eq .name "kernel" -}}
{{- $bindings := $v.api.roleBindings -}}
{{- if $v.smokeTest.enabled -}}
{{- $smoke := dict "cn" (include "kernel.commonName" (dict "root" $root "name" "smoke")) "role" "DivisionLead" "division" "smoke-test" -}}
{{- $bindings = append $bindings $smoke -}}
{{- end -}}
{{- $_ := set $files "role-bindings.json" (toPrettyJson $bindings) -}}
{{- if $v.approverPoolJson }}{{ $_ := set $files "approver-pool.json" $v.approverPoolJson }}{{ end -}}
{{- if $v.web.enabled }}{{ $_ := set $files "oidc-roles.json" (toPrettyJson $v.web.oidc.roles) }}{{ end -}}
{{- if $v.notifications -}}
{{- $webhooks := list -}}
{{- range $v.notifications -}}
{{- $webhook := dict "name" .name "url" .url "secretFile" (printf "/etc/kernel/secrets/webhook-%s" .name) -}}
{{- if .types }}{{ $_ := set $webhook "types" .types }}{{ end -}}
{{- $webhooks = append $webhooks $webhook -}}
{{- end -}}
{{- $_ := set $files "webhooks.json" (toPrettyJson $webhooks) -}}
{{- end -}}
{{- end -}}
{{- if eq .name "signing-proxy" -}}
{{- $_ := set $files "signing-keys.json" (toPrettyJson $v.signingProxy.keys) -}}
{{- $clients := list -}}
{{- range $name, $purposes := dict "kernel" (list "audit-event" "manifest" "signer-possession") "archiver" (list "archive-day") "auditor" (list "audit-report") "log-publisher" (list "log-checkpoint") -}}
{{- $clients = append $clients (dict "cn" (include "kernel.commonName" (dict "root" $root "name" $name)) "purposes" $purposes) -}}
{{- end -}}
{{- $_ := set $files "signing-clients.json" (toPrettyJson $clients) -}}
{{- end -}}
{{- $files | toYaml -}}
{{- end -}}

{{/* "true" where the keys to trust are given; processes that read events need them once the kernel is founded. */}}
{{- define "kernel.hasTrustRoot" -}}
{{- if or .Values.trustRoot.configMap .Values.trustRoot.signersJson }}true{{ end -}}
{{- end -}}
