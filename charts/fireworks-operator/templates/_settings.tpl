{{/*
One environment variable; takes a list of name and value. Null sets nothing, lists become comma-separated (an empty
one is a value, too), and whole numbers keep all their digits.
*/}}
{{- define "fireworks-operator.variable" -}}
{{- $value := index . 1 -}}
{{- if not (kindIs "invalid" $value) }}
- name: {{ index . 0 }}
  {{- if kindIs "slice" $value }}
  value: {{ join "," $value | quote }}
  {{- else if and (kindIs "float64" $value) (eq (float64 (int64 $value)) $value) }}
  value: {{ int64 $value | quote }}
  {{- else }}
  value: {{ $value | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{/* FIREWORKS_OPERATOR_POLL_INTERVAL_IDLE for pollIntervalIdle. */}}
{{- define "fireworks-operator.variableName" -}}
{{- printf "FIREWORKS_OPERATOR_%s" (. | snakecase | upper) -}}
{{- end }}

{{/* What the chart sets; values of other names are for extraEnv. */}}
{{- define "fireworks-operator.environment" -}}
{{- range $name, $value := omit .Values.settings "baseUrl" }}
{{- include "fireworks-operator.variable" (list (include "fireworks-operator.variableName" $name) $value) }}
{{- end }}
{{- include "fireworks-operator.variable" (list "FIREWORKS_BASE_URL" .Values.settings.baseUrl) }}
{{- include "fireworks-operator.variable" (list "FIREWORKS_OPERATOR_WATCH_NAMESPACES" .Values.watchNamespaces) }}
{{- include "fireworks-operator.variable" (list "FIREWORKS_OPERATOR_LEADER_ELECTION" .Values.leaderElection.enabled) }}
{{- include "fireworks-operator.variable" (list "FIREWORKS_OPERATOR_LEASE_NAME" (include "fireworks-operator.leaseName" .)) }}
{{- if .Values.prices }}
{{- include "fireworks-operator.variable" (list "FIREWORKS_OPERATOR_PRICE_FILE" "/etc/fireworks-operator/prices/prices.yaml") }}
{{- end }}
- name: FIREWORKS_OPERATOR_NAMESPACE
  valueFrom:
    fieldRef:
      apiVersion: v1
      fieldPath: metadata.namespace
{{- with include "fireworks-operator.credentialsSecret" . }}
- name: FIREWORKS_API_KEY
  valueFrom:
    secretKeyRef:
      name: {{ . | toYaml }}
      key: {{ $.Values.credentials.apiKeyKey | toYaml }}
      optional: {{ $.Values.credentials.optional | default false }}
- name: FIREWORKS_ACCOUNT_ID
  valueFrom:
    secretKeyRef:
      name: {{ . | toYaml }}
      key: {{ $.Values.credentials.accountIdKey | toYaml }}
      optional: true
{{- end }}
{{- end }}
