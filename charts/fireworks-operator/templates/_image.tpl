{{/* The image; a registry of its own or of all charts takes the place of the one in the repository. */}}
{{- define "fireworks-operator.image" -}}
{{- $repository := .Values.image.repository -}}
{{- with default (.Values.global | default dict).imageRegistry .Values.image.registry -}}
{{- $repository = printf "%s/%s" (trimSuffix "/" .) (regexReplaceAll "^([^/]*[.:][^/]*|localhost)/" $repository "") -}}
{{- end -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- $image := printf "%s:%s" $repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- include "fireworks-operator.imageOfRelease" (dict "root" . "image" $image) -}}
{{- end -}}
{{- end }}

{{/* Pull secrets of this chart and of all charts; names alone are enough. */}}
{{- define "fireworks-operator.imagePullSecrets" -}}
{{- $secrets := list -}}
{{- $global := (.Values.global | default dict).imagePullSecrets -}}
{{- range concat (.Values.imagePullSecrets | default list) ($global | default list) -}}
{{- $secrets = append $secrets (kindIs "string" . | ternary (dict "name" .) .) -}}
{{- end -}}
{{- with $secrets -}}
{{- uniq . | toYaml -}}
{{- end -}}
{{- end }}
