{{/* What the selectors select by; it can never change. */}}
{{- define "fireworks-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" | toYaml }}
app.kubernetes.io/instance: {{ .Release.Name | toYaml }}
{{- end }}

{{/* Labels and annotations of an object; takes a dict of root and, optionally, labels and annotations of its own. */}}
{{- define "fireworks-operator.metadata" -}}
{{- $chart := .root.Chart -}}
{{- $labels := include "fireworks-operator.selectorLabels" .root | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/version" $chart.AppVersion -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" $chart.Name $chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
labels:
  {{- include "fireworks-operator.overlay" (list $labels .root.Values.commonLabels .labels) | nindent 2 }}
{{- with include "fireworks-operator.overlay" (list .root.Values.commonAnnotations .annotations) }}
annotations:
  {{- . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Labels and annotations of the pods. */}}
{{- define "fireworks-operator.podMetadata" -}}
{{- $labels := include "fireworks-operator.selectorLabels" . | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/version" .Chart.AppVersion -}}
{{- $annotations := dict "kubectl.kubernetes.io/default-container" "operator" -}}
{{- if and .Values.credentials.apiKey (not .Values.credentials.existingSecret) -}}
{{- /* Pods start anew when the key changes. */ -}}
{{- $key := printf "%s %s" .Values.credentials.apiKey (.Values.credentials.accountId | default "") -}}
{{- $_ := set $annotations "checksum/credentials" (sha256sum $key) -}}
{{- end -}}
labels:
  {{- include "fireworks-operator.overlay" (list $labels .Values.commonLabels .Values.podLabels) | nindent 2 }}
annotations:
  {{- include "fireworks-operator.overlay" (list $annotations .Values.commonAnnotations .Values.podAnnotations) | nindent 2 }}
{{- end }}

{{/* The maps of a list on top of each other, as YAML: each key once, the last value counts. Nothing for no keys. */}}
{{- define "fireworks-operator.overlay" -}}
{{- $merged := dict -}}
{{- range . -}}
{{- range $key, $value := . -}}
{{- $_ := set $merged $key $value -}}
{{- end -}}
{{- end -}}
{{- with $merged -}}
{{- toYaml . -}}
{{- end -}}
{{- end }}
