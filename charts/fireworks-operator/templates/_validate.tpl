{{/* What a schema cannot say, or not in words that help. */}}
{{- define "fireworks-operator.validate" -}}
{{- include "fireworks-operator.validateReplicas" . -}}
{{- include "fireworks-operator.validateCredentials" . -}}
{{- include "fireworks-operator.validateLabels" . -}}
{{- include "fireworks-operator.validateEnvironment" . -}}
{{- include "fireworks-operator.validateLists" . -}}
{{- include "fireworks-operator.validateMetrics" . -}}
{{- if and .Values.watchNamespaces (not .Values.settings.clusterId) (not .Values.rbac.clusterReader) -}}
{{- fail "watchNamespaces needs settings.clusterId, since the namespace kube-system cannot be read with Roles alone: set it to a name that no other cluster of your Fireworks accounts uses, or set rbac.clusterReader to true." -}}
{{- end -}}
{{- end }}

{{- define "fireworks-operator.validateReplicas" -}}
{{- $replicas := int .Values.replicaCount -}}
{{- if not .Values.leaderElection.enabled -}}
{{- if gt $replicas 1 -}}
{{- fail "replicaCount is above 1 without leaderElection.enabled: two operators would act at once. Turn leader election on, or set replicaCount to 1." -}}
{{- end -}}
{{- if kindIs "invalid" .Values.replicaCount -}}
{{- fail "replicaCount is null without leaderElection.enabled: whoever scales the Deployment could have two operators act at once. Turn leader election on, or set replicaCount to 1." -}}
{{- end -}}
{{- if and .Values.strategy (ne (.Values.strategy.type | default "") "Recreate") -}}
{{- fail "strategy.type must be Recreate without leaderElection.enabled: the old and the new operator would act at once. Turn leader election on, or leave strategy empty." -}}
{{- end -}}
{{- end -}}
{{- $budget := .Values.podDisruptionBudget -}}
{{- if not (kindIs "invalid" $budget.minAvailable) -}}
{{- if not (kindIs "invalid" $budget.maxUnavailable) -}}
{{- fail "podDisruptionBudget.minAvailable and podDisruptionBudget.maxUnavailable exclude each other: keep one." -}}
{{- end -}}
{{- if and $budget.enabled (gt $replicas 1) (not (kindIs "string" $budget.minAvailable)) (ge (int $budget.minAvailable) $replicas) -}}
{{- fail (printf "podDisruptionBudget.minAvailable is %d with replicaCount %d: no node with such a pod could be drained. Set it to less." (int $budget.minAvailable) $replicas) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "fireworks-operator.validateCredentials" -}}
{{- with .Values.credentials -}}
{{- if and .existingSecret .apiKey -}}
{{- fail "credentials.existingSecret and credentials.apiKey exclude each other: keep one." -}}
{{- end -}}
{{- if and .accountId (not .apiKey) -}}
{{- fail "credentials.accountId belongs to credentials.apiKey. With existingSecret, put the account id into that Secret (key accountIdKey)." -}}
{{- end -}}
{{- if and .accountId (eq .apiKeyKey .accountIdKey) -}}
{{- fail "credentials.apiKeyKey and credentials.accountIdKey are the same: one Secret cannot hold both under one key." -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Labels that the selectors select by cannot be others: the Deployment's selector can never change. */}}
{{- define "fireworks-operator.validateLabels" -}}
{{- $selected := include "fireworks-operator.selectorLabels" . | fromYaml -}}
{{- range $value, $labels := dict "commonLabels" .Values.commonLabels "podLabels" .Values.podLabels "metrics.service.labels" .Values.metrics.service.labels -}}
{{- range $name, $wanted := $selected -}}
{{- if and $labels (hasKey $labels $name) (ne (get $labels $name) $wanted) -}}
{{- fail (printf "%s cannot change %s, since the Deployment, the Service and the monitors select by it: leave it out. It comes from %s." $value $name (hasSuffix "instance" $name | ternary "the name of the release" "nameOverride")) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* A variable that the chart sets cannot be set twice. */}}
{{- define "fireworks-operator.validateEnvironment" -}}
{{- $values := dict "FIREWORKS_BASE_URL" "settings.baseUrl" "FIREWORKS_OPERATOR_WATCH_NAMESPACES" "watchNamespaces" "FIREWORKS_OPERATOR_LEADER_ELECTION" "leaderElection.enabled" "FIREWORKS_OPERATOR_LEASE_NAME" "leaderElection.leaseName" "FIREWORKS_OPERATOR_NAMESPACE" "namespaceOverride" "FIREWORKS_API_KEY" "credentials.existingSecret" "FIREWORKS_ACCOUNT_ID" "credentials.accountIdKey" -}}
{{- range $name, $_ := omit .Values.settings "baseUrl" -}}
{{- $_ := set $values (include "fireworks-operator.variableName" $name) (printf "settings.%s" $name) -}}
{{- end -}}
{{- $set := list -}}
{{- range include "fireworks-operator.environment" . | fromYamlArray -}}
{{- $set = append $set .name -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if has .name $set -}}
{{- fail (printf "extraEnv sets %s, which the chart sets itself: use %s." .name (get $values .name)) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Entries that exclude each other. */}}
{{- define "fireworks-operator.validateLists" -}}
{{- include "fireworks-operator.unique" (list "extraEnv" "name" .Values.extraEnv) -}}
{{- $own := ternary (list (dict "name" "prices")) list (not (empty .Values.prices)) -}}
{{- include "fireworks-operator.unique" (list "extraVolumes" "name" (concat $own (.Values.extraVolumes | default list))) -}}
{{- include "fireworks-operator.unique" (list "extraVolumeMounts" "mountPath" .Values.extraVolumeMounts) -}}
{{- include "fireworks-operator.unique" (list "hostAliases" "ip" .Values.hostAliases) -}}
{{- $more := concat (.Values.extraContainers | default list) (.Values.extraInitContainers | default list) -}}
{{- include "fireworks-operator.unique" (list "extraContainers or extraInitContainers" "name" (prepend $more (dict "name" "operator"))) -}}
{{- $groups := .Values.metrics.prometheusRule.extraGroups | default list -}}
{{- include "fireworks-operator.unique" (list "metrics.prometheusRule.extraGroups" "name" (prepend $groups (dict "name" "fireworks-operator"))) -}}
{{- end }}

{{/* Fails for two entries of one key; takes a list of the value's name, the key and the entries. */}}
{{- define "fireworks-operator.unique" -}}
{{- $value := index . 0 -}}
{{- $key := index . 1 -}}
{{- $seen := dict -}}
{{- range index . 2 -}}
{{- $name := get . $key -}}
{{- if hasKey $seen $name -}}
{{- fail (printf "%s: the %s %s is used twice." $value $key $name) -}}
{{- end -}}
{{- $_ := set $seen $name true -}}
{{- end -}}
{{- end }}

{{- define "fireworks-operator.validateMetrics" -}}
{{- with .Values.metrics -}}
{{- if and .serviceMonitor.enabled (not .service.enabled) -}}
{{- fail "metrics.serviceMonitor.enabled needs metrics.service.enabled; or use metrics.podMonitor.enabled." -}}
{{- end -}}
{{- if and .serviceMonitor.enabled .podMonitor.enabled -}}
{{- fail "metrics.serviceMonitor.enabled and metrics.podMonitor.enabled would scrape each pod twice: keep one." -}}
{{- end -}}
{{- end -}}
{{- $alerts := list -}}
{{- range .Files.Get "files/alerts.yaml" | fromYamlArray -}}
{{- $alerts = append $alerts .alert -}}
{{- end -}}
{{- range .Values.metrics.prometheusRule.disabled -}}
{{- if not (has . $alerts) -}}
{{- fail (printf "metrics.prometheusRule.disabled: there is no alert %s. There are: %s." . (join ", " $alerts)) -}}
{{- end -}}
{{- end -}}
{{- end }}
