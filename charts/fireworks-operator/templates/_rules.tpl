{{/* What the operator does with resources, and what belongs to them; in a ClusterRole, or in a Role of each namespace. */}}
{{- define "fireworks-operator.rules" -}}
- apiGroups: [fireworks.ai]
  resources: [fireworksdeployments]
  verbs: [list, watch, patch]
- apiGroups: [fireworks.ai]
  resources: [fireworksdeployments/status, fireworksbudgets/status]
  verbs: [patch]
- apiGroups: [fireworks.ai]
  resources: [fireworksbudgets]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- if .Values.rbac.readSecrets }}
- apiGroups: [""]
  resources: [secrets]
  {{- with .Values.rbac.secretNames }}
  resourceNames:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  verbs: [get]
{{- end }}
{{- if .Values.rbac.connectionConfigMaps }}
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, create, update, delete]
{{- end }}
{{- end }}

{{/* What it reads of the cluster itself: the id, and whether the CRD is being deleted. */}}
{{- define "fireworks-operator.clusterReaderRules" -}}
- apiGroups: [""]
  resources: [namespaces]
  resourceNames: [kube-system]
  verbs: [get]
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  resourceNames: [fireworksdeployments.fireworks.ai]
  verbs: [get]
{{- end }}
