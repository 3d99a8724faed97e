{{/* An egress rule to a store of the platform: a member of .Values.connections. */}}
{{- define "kernel.egressTo" -}}
to:
  {{- toYaml .to | nindent 2 }}
ports:
  {{- range .ports }}
  - { protocol: TCP, port: {{ . }} }
  {{- end }}
{{- end -}}

{{- define "kernel.egressToDns" -}}
to:
  {{- toYaml .Values.connections.dns.to | nindent 2 }}
ports:
  {{- range .Values.connections.dns.ports }}
  - { protocol: UDP, port: {{ . }} }
  - { protocol: TCP, port: {{ . }} }
  {{- end }}
{{- end -}}

{{/* A selector of several components: (dict "root" $ "names" <list>). */}}
{{- define "kernel.selectAny" -}}
matchLabels:
  {{- include "kernel.selector" (dict "root" .root "name" "") | nindent 2 }}
matchExpressions:
  - key: app.kubernetes.io/component
    operator: In
    values:
      {{- range .names }}
      - {{ . }}
      {{- end }}
{{- end -}}
