{{/* Short-lived, with a new key each time: processes take renewed files up without a restart (docs/certificates.md). */}}
{{- define "kernel.certificate" -}}
duration: {{ .Values.certificates.duration }}
renewBefore: {{ .Values.certificates.renewBefore }}
privateKey: { algorithm: ECDSA, size: 256, rotationPolicy: Always }
{{- end -}}

{{/* The certificate by which others know a process: (dict "root" $ "name" <component>). */}}
{{- define "kernel.clientCertificate" -}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  {{- include "kernel.metadata" (dict "root" .root "name" .name "end" (printf "%s-client" .name)) | nindent 2 }}
spec:
  secretName: {{ include "kernel.fullname" .root }}-{{ .name }}-client
  {{- include "kernel.certificate" .root | nindent 2 }}
  issuerRef:
    {{- $issuer := .root.Values.certificates.issuer }}
    {{- if and (eq .name "smoke") .root.Values.smokeTest.issuer.name }}{{ $issuer = .root.Values.smokeTest.issuer }}{{ end }}
    {{- toYaml $issuer | nindent 4 }}
  usages: [digital signature, client auth]
  commonName: {{ include "kernel.commonName" . }}
{{- end -}}
