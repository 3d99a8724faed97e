{{/*
A component's secrets, read by the CSI driver with the pod's own ServiceAccount: (dict "root" $ "name" "end" "hook").
The driver mounts them again when they change, and the process reads them again.
*/}}
{{- define "kernel.secretProviderClass" -}}
{{- $secrets := .root.Values.secrets -}}
{{- $csi := $secrets.csi -}}
---
apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata:
  {{- include "kernel.metadata" . | nindent 2 }}
  {{- with .hook }}
  annotations:
    {{- include "kernel.hookAnnotations" . | nindent 4 }}
  {{- end }}
spec:
  provider: {{ $csi.provider }}
  parameters:
    roleName: {{ include "kernel.fullname" .root }}-{{ .name }}
    {{ $csi.product }}Address: {{ $csi.address | quote }}
    {{ $csi.product }}AuthMountPath: {{ $csi.authMount | quote }}
    {{- with $csi.namespace }}
    {{ $csi.product }}Namespace: {{ . | quote }}
    {{- end }}
    {{- with $csi.caCertPath }}
    {{ $csi.product }}CACertPath: {{ . | quote }}
    {{- end }}
    audience: {{ $csi.audience | quote }}
    objects: |
      {{- $path := printf "%s/%s" $secrets.pathPrefix .name }}
      {{- range $file, $_ := include "kernel.secrets" . | fromYaml }}
      - objectName: {{ $file | quote }}
        secretPath: {{ $path | quote }}
        secretKey: {{ $file | quote }}
        filePermission: 0440
      {{- end }}
{{- end -}}

{{/* The same by the External Secrets operator, as a Secret: (dict "root" $ "name" "end" "hook"). */}}
{{- define "kernel.externalSecret" -}}
{{- $secrets := .root.Values.secrets -}}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  {{- include "kernel.metadata" . | nindent 2 }}
  {{- with .hook }}
  annotations:
    {{- include "kernel.hookAnnotations" . | nindent 4 }}
  {{- end }}
spec:
  refreshInterval: {{ $secrets.externalSecrets.refreshInterval }}
  secretStoreRef:
    kind: {{ $secrets.externalSecrets.store.kind }}
    name: {{ $secrets.externalSecrets.store.name }}
  target:
    name: {{ include "kernel.secretName" . }}
    creationPolicy: Owner
  data:
    {{- $path := printf "%s/%s" $secrets.pathPrefix .name }}
    {{- range $file, $_ := include "kernel.secrets" . | fromYaml }}
    - secretKey: {{ $file }}
      remoteRef: { key: {{ $path }}, property: {{ $file }} }
    {{- end }}
{{- end -}}

{{/* Weight of a part of the migration: whatever the Job needs comes before it. */}}
{{- define "kernel.hookAnnotations" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation
{{- end -}}
