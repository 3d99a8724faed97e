{{/* What Pod Security "restricted" asks of a pod, and its ids: secrets are readable by the group alone. */}}
{{- define "kernel.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "kernel.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* Members of every pod spec: (dict "root" $ "name" <component>). */}}
{{- define "kernel.podBasics" -}}
{{- $own := index .root.Values.components .name -}}
serviceAccountName: {{ include "kernel.fullname" .root }}-{{ .name }}
automountServiceAccountToken: false
# Variables of Services would be a second, unchecked source of settings.
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- if has .name (keys (include "kernel.components" .root | fromYaml)) }}
{{- with include "kernel.priorityClass" .root }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}
securityContext:
  {{- include "kernel.podSecurity" . | nindent 2 }}
{{- with $own.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The volume of a component's secrets: (dict "root" $ "name" <component>). */}}
{{- define "kernel.secretVolume" -}}
- name: secrets
  {{- if eq .root.Values.secrets.provider "csi" }}
  csi:
    driver: secrets-store.csi.k8s.io
    readOnly: true
    volumeAttributes:
      secretProviderClass: {{ include "kernel.fullname" .root }}-{{ .name }}
  {{- else }}
  secret:
    secretName: {{ include "kernel.secretName" . }}
    defaultMode: 0440
    # Exactly these: a key that was added to the Secret for another purpose is not shown to this process.
    items:
      {{- range $file, $_ := include "kernel.secrets" . | fromYaml }}
      - { key: {{ $file }}, path: {{ $file }} }
      {{- end }}
  {{- end }}
{{- end -}}

{{/* Authorities of others, each from a ConfigMap of the platform: (dict "root" $ "name" <component>). */}}
{{- define "kernel.authoritiesVolume" -}}
{{- $all := .root.Values.authorities -}}
{{- with include "kernel.authorities" . | fromJsonArray -}}
- name: authorities
  projected:
    defaultMode: 0444
    sources:
      {{- range $use := . }}
      {{- $authority := get $all $use }}
      - configMap:
          name: {{ $authority.configMap }}
          items:
            - { key: {{ $authority.key }}, path: {{ $use }}.crt }
            {{- with $authority.crlKey }}
            - { key: {{ . }}, path: {{ $use }}.crl }
            {{- end }}
      {{- end }}
{{- end -}}
{{- end -}}

{{- define "kernel.volumes" -}}
{{- $root := .root -}}
{{- $v := $root.Values -}}
{{- $component := get (include "kernel.components" $root | fromYaml) .name -}}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
- name: config
  projected:
    defaultMode: 0444
    sources:
      - configMap:
          name: {{ include "kernel.fullname" $root }}-{{ .name }}-files
      {{- if and $v.trustRoot.configMap (has "postgres" $component.uses) }}
      - configMap:
          name: {{ $v.trustRoot.configMap }}
          items:
            - { key: signers.json, path: signers.json }
      {{- end }}
{{ include "kernel.secretVolume" . }}
{{- with include "kernel.authoritiesVolume" . }}
{{ . }}
{{- end }}
{{- if $component.server }}
- name: tls
  secret:
    secretName: {{ include "kernel.fullname" $root }}-{{ .name }}-server
    defaultMode: 0440
{{- end }}
{{- if include "kernel.hasClient" . }}
- name: client
  secret:
    secretName: {{ include "kernel.fullname" $root }}-{{ .name }}-client
    defaultMode: 0440
{{- end }}
{{- if has "vault" $component.uses }}
# The proxy logs in to the transit engine with this token, and with no other: it is good for that server alone.
- name: vault-token
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken:
          path: token
          audience: {{ $v.signingProxy.vault.audience }}
          expirationSeconds: 600
{{- end }}
{{- end -}}

{{- define "kernel.volumeMounts" -}}
{{- $component := get (include "kernel.components" .root | fromYaml) .name -}}
- { name: tmp, mountPath: /tmp }
- { name: config, mountPath: /etc/kernel/config, readOnly: true }
- { name: secrets, mountPath: /etc/kernel/secrets, readOnly: true }
{{- if include "kernel.authorities" . | fromJsonArray }}
- { name: authorities, mountPath: /etc/kernel/authorities, readOnly: true }
{{- end }}
{{- if $component.server }}
- { name: tls, mountPath: /etc/kernel/tls, readOnly: true }
{{- end }}
{{- if include "kernel.hasClient" . }}
- { name: client, mountPath: /etc/kernel/client, readOnly: true }
{{- end }}
{{- if has "vault" $component.uses }}
- { name: vault-token, mountPath: /var/run/secrets/vault, readOnly: true }
{{- end }}
{{- end -}}

{{- define "kernel.ports" -}}
{{- if eq .name "kernel" }}
- { name: mtls, containerPort: 8443 }
{{- if .root.Values.web.enabled }}
- { name: web, containerPort: 8440 }
{{- end }}
{{- else if eq .name "signing-proxy" }}
- { name: mtls, containerPort: 8445 }
{{- else if eq .name "log-publisher" }}
- { name: log, containerPort: 8459 }
{{- end }}
- { name: management, containerPort: 8444 }
{{- end -}}

{{/*
A start may wait for locks and read back the chain, so it has two minutes. /health answers while the event loop does; a
dependency that is away shows in /ready alone, since a restart would not bring it back (ADR 199).
*/}}
{{- define "kernel.probes" -}}
startupProbe:
  httpGet: { path: /health, port: management }
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /health, port: management }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /ready, port: management }
  periodSeconds: 5
  # The process gives each check a second.
  timeoutSeconds: 3
  failureThreshold: 2
{{- end -}}
