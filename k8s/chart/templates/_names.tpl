{{/* Name of the release's objects, short enough for the longest ending within 63 characters. */}}
{{- define "kernel.fullname" -}}
{{- $name := .Release.Name -}}
{{- if not (contains .Chart.Name $name) }}{{ $name = printf "%s-%s" $name .Chart.Name }}{{ end -}}
{{- $name | trunc 36 | trimSuffix "-" -}}
{{- end -}}

{{/* Labels that select: (dict "root" $ "name" <component>). */}}
{{- define "kernel.selector" -}}
app.kubernetes.io/name: illuvrse-kernel
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .name }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{/* Labels of an object: (dict "root" $ "name" <component or "">). */}}
{{- define "kernel.labels" -}}
{{ include "kernel.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/* Name and labels of an object: (dict "root" $ "name" <component> "end" <ending of the name>). */}}
{{- define "kernel.metadata" -}}
name: {{ include "kernel.fullname" .root }}-{{ .end }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "kernel.labels" . | nindent 2 }}
{{- end -}}

{{/* Host of a Service of this release, as certificates name it: (dict "root" $ "end" <ending>). */}}
{{- define "kernel.host" -}}
{{ include "kernel.fullname" .root }}-{{ .end }}.{{ .root.Release.Namespace }}.svc
{{- end -}}

{{/*
Common name of a process's client certificate: (dict "root" $ "name" <component>). With the namespace in it, a certificate
of one environment opens nothing in another, where one authority serves both.
*/}}
{{- define "kernel.commonName" -}}
{{- $cn := printf "%s.%s" .name .root.Release.Namespace -}}
{{- if gt (len $cn) 64 }}{{ fail (printf "the common name %q has more than the 64 characters that X.509 allows: choose a shorter namespace" $cn) }}{{ end -}}
{{- $cn -}}
{{- end -}}

{{- define "kernel.priorityClass" -}}
{{- if .Values.priorityClass.create }}{{ .Release.Namespace }}{{ else }}{{ .Values.priorityClass.name }}{{ end -}}
{{- end -}}
