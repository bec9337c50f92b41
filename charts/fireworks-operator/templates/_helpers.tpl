{{/* Name of all objects: at most 63 characters, as labels and Service names allow. */}}
{{- define "fireworks-operator.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{/* Name of a cluster-wide object: releases of one name in two namespaces must not share it. */}}
{{- define "fireworks-operator.clusterName" -}}
{{- $name := include "fireworks-operator.fullname" . -}}
{{- if eq .Release.Namespace $name -}}{{ $name }}{{- else -}}{{ printf "%s:%s" .Release.Namespace $name }}{{- end -}}
{{- end }}

{{- define "fireworks-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "fireworks-operator.labels" -}}
{{ include "fireworks-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Labels and annotations of an object; takes a dict of root and, optionally, labels and annotations. */}}
{{- define "fireworks-operator.metadata" -}}
labels:
  {{- include "fireworks-operator.labels" .root | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "fireworks-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "fireworks-operator.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{- define "fireworks-operator.leaseName" -}}
{{- default (include "fireworks-operator.fullname" .) .Values.leaderElection.leaseName -}}
{{- end }}

{{/* Secret with the operator's own key; empty if there is none. */}}
{{- define "fireworks-operator.credentialsSecret" -}}
{{- if .Values.credentials.existingSecret -}}
{{- .Values.credentials.existingSecret -}}
{{- else if .Values.credentials.apiKey -}}
{{- include "fireworks-operator.fullname" . }}-credentials
{{- end -}}
{{- end }}

{{- define "fireworks-operator.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- $image := printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- include "fireworks-operator.imageOfRelease" (dict "root" . "image" $image) -}}
{{- end -}}
{{- end }}

{{/* The operator's service account as the subject of a binding. */}}
{{- define "fireworks-operator.subject" -}}
- kind: ServiceAccount
  name: {{ include "fireworks-operator.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
