{{/* Name of all objects: at most 63 characters, as labels and most names allow. */}}
{{- define "fireworks-operator.fullname" -}}
{{- $name := .Values.fullnameOverride -}}
{{- if not $name -}}
{{- $part := default .Chart.Name .Values.nameOverride -}}
{{- $name = ternary .Release.Name (printf "%s-%s" .Release.Name $part) (contains $part .Release.Name) -}}
{{- end -}}
{{- include "fireworks-operator.cut" (list $name 63) -}}
{{- end }}

{{/* A name of at most so many characters that does not end with a dash or a dot; takes a list of name and length. */}}
{{- define "fireworks-operator.cut" -}}
{{- index . 0 | trunc (int (index . 1)) | trimAll "-." -}}
{{- end }}

{{/* The name of all objects with a suffix, in 63 characters; takes a list of root and suffix. */}}
{{- define "fireworks-operator.suffixed" -}}
{{- $name := include "fireworks-operator.fullname" (index . 0) -}}
{{- printf "%s-%s" (include "fireworks-operator.cut" (list $name (sub 62 (len (index . 1))))) (index . 1) -}}
{{- end }}

{{/* Name of the Service. Unlike other names it holds no dots and begins with a letter. */}}
{{- define "fireworks-operator.serviceName" -}}
{{- $name := include "fireworks-operator.fullname" . | replace "." "-" -}}
{{- if regexMatch "^[0-9]" $name -}}
{{- $name = printf "fw-%s" $name -}}
{{- end -}}
{{- printf "%s-metrics" (include "fireworks-operator.cut" (list $name 55)) -}}
{{- end }}

{{/* Namespace of all objects that have one, unless they have a namespace of their own. */}}
{{- define "fireworks-operator.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end }}

{{/* Name of a cluster-wide object: releases of one name in two namespaces must not share it. */}}
{{- define "fireworks-operator.clusterName" -}}
{{- $name := include "fireworks-operator.fullname" . -}}
{{- $namespace := include "fireworks-operator.namespace" . -}}
{{- if eq $namespace $name -}}{{ $name }}{{- else -}}{{ printf "%s:%s" $namespace $name }}{{- end -}}
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
{{- include "fireworks-operator.suffixed" (list . "credentials") -}}
{{- end -}}
{{- end }}

{{/* The operator's service account as the subject of a binding. */}}
{{- define "fireworks-operator.subject" -}}
- kind: ServiceAccount
  name: {{ include "fireworks-operator.serviceAccountName" . | toYaml }}
  namespace: {{ include "fireworks-operator.namespace" . | toYaml }}
{{- end }}
