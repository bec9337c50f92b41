{{/* What a ServiceMonitor and a PodMonitor share. The first two take a list of root and the monitor's values. */}}
{{- define "fireworks-operator.monitorMetadata" -}}
{{- $root := index . 0 -}}
{{- with index . 1 -}}
name: {{ include "fireworks-operator.fullname" $root | toYaml }}
namespace: {{ .namespace | default (include "fireworks-operator.namespace" $root) | toYaml }}
{{ include "fireworks-operator.metadata" (dict "root" $root "labels" .labels) }}
{{- end -}}
{{- end }}

{{- define "fireworks-operator.monitorSelector" -}}
{{- $root := index . 0 -}}
{{- $namespace := include "fireworks-operator.namespace" $root -}}
{{- if ne $namespace ((index . 1).namespace | default $namespace) -}}
namespaceSelector:
  matchNames:
    - {{ $namespace | toYaml }}
{{ end -}}
selector:
  matchLabels:
    {{- include "fireworks-operator.selectorLabels" $root | nindent 4 }}
{{- end }}

{{/* The endpoint that is scraped, with `endpoint` on top. */}}
{{- define "fireworks-operator.monitorEndpoint" -}}
{{- $endpoint := dict "port" "http" -}}
{{- range $field := list "interval" "scrapeTimeout" "scheme" "tlsConfig" "honorLabels" "relabelings" "metricRelabelings" -}}
{{- with get $ $field -}}
{{- $_ := set $endpoint $field . -}}
{{- end -}}
{{- end -}}
{{- include "fireworks-operator.merge" (list $endpoint (.endpoint | default dict)) -}}
{{- end }}
