{{/* What a schema cannot say, or not in words that help. */}}
{{- define "fireworks-operator.validate" -}}
{{- if and (gt (int .Values.replicaCount) 1) (not .Values.leaderElection.enabled) -}}
{{- fail "replicaCount is above 1 without leaderElection.enabled: two operators would act at once. Turn leader election on, or set replicaCount to 1." -}}
{{- end -}}
{{- if and .Values.credentials.existingSecret .Values.credentials.apiKey -}}
{{- fail "credentials.existingSecret and credentials.apiKey exclude each other: keep one." -}}
{{- end -}}
{{- if and .Values.credentials.accountId (not .Values.credentials.apiKey) -}}
{{- fail "credentials.accountId belongs to credentials.apiKey. With existingSecret, put the account id into that Secret (key accountIdKey)." -}}
{{- end -}}
{{- if and .Values.watchNamespaces (not .Values.settings.clusterId) (not .Values.rbac.clusterReader) -}}
{{- fail "watchNamespaces needs settings.clusterId, since the namespace kube-system cannot be read with Roles alone: set it to a name that no other cluster of your Fireworks accounts uses, or set rbac.clusterReader to true." -}}
{{- end -}}
{{- if and .Values.metrics.serviceMonitor.enabled (not .Values.metrics.service.enabled) -}}
{{- fail "metrics.serviceMonitor.enabled needs metrics.service.enabled; or use metrics.podMonitor.enabled." -}}
{{- end -}}
{{- end }}
