{{/*
How pods are replaced. Without a Lease the old one must be gone before the new one acts. What the API server would fill in
is written out: with server-side apply, a field that nobody has written cannot be removed for another strategy.
*/}}
{{- define "fireworks-operator.strategy" -}}
{{- $type := ternary "RollingUpdate" "Recreate" .Values.leaderElection.enabled -}}
{{- $strategy := .Values.strategy | default (dict "type" $type) -}}
{{- $filled := dict -}}
{{- if ne ($strategy.type | default "") "Recreate" -}}
{{- $_ := set $filled "rollingUpdate" (dict "maxSurge" "25%" "maxUnavailable" "25%") -}}
{{- end -}}
{{- include "fireworks-operator.overlay" (list $filled $strategy) -}}
{{- end }}

{{/* The pods' spec: what the chart knows, and podSpec on top. */}}
{{- define "fireworks-operator.podSpec" -}}
{{- $known := include "fireworks-operator.knownPodSpec" . -}}
{{- if .Values.podSpec -}}
{{- include "fireworks-operator.merge" (list (fromYaml $known) .Values.podSpec) -}}
{{- else -}}
{{- $known -}}
{{- end -}}
{{- end }}

{{- define "fireworks-operator.knownPodSpec" -}}
serviceAccountName: {{ include "fireworks-operator.serviceAccountName" . | toYaml }}
automountServiceAccountToken: true
# Variables of a Service named like the operator would look like its settings.
enableServiceLinks: false
{{- with include "fireworks-operator.imagePullSecrets" . }}
imagePullSecrets:
  {{- . | nindent 2 }}
{{- end }}
{{- with include "fireworks-operator.securityContext" (list . .Values.podSecurityContext) }}
securityContext:
  {{- . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | toYaml }}
{{- end }}
{{- with .Values.runtimeClassName }}
runtimeClassName: {{ . | toYaml }}
{{- end }}
{{- with .Values.schedulerName }}
schedulerName: {{ . | toYaml }}
{{- end }}
{{- if not (kindIs "invalid" .Values.terminationGracePeriodSeconds) }}
terminationGracePeriodSeconds: {{ int64 .Values.terminationGracePeriodSeconds }}
{{- end }}
{{- if .Values.hostNetwork }}
hostNetwork: true
{{- end }}
{{- with .Values.dnsPolicy | default (ternary "ClusterFirstWithHostNet" "" (.Values.hostNetwork | default false)) }}
dnsPolicy: {{ . }}
{{- end }}
{{- range $field := list "dnsConfig" "hostAliases" "nodeSelector" "tolerations" "affinity" }}
{{- with get $.Values $field }}
{{ $field }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- with .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- $selector := dict "labelSelector" (dict "matchLabels" (include "fireworks-operator.selectorLabels" $ | fromYaml)) }}
  {{- range . }}
  - {{ include "fireworks-operator.overlay" (list $selector .) | nindent 4 | trim }}
  {{- end }}
{{- end }}
{{- with .Values.extraInitContainers }}
initContainers:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - {{ include "fireworks-operator.container" . | nindent 4 | trim }}
  {{- with .Values.extraContainers }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- if or .Values.prices .Values.extraVolumes }}
volumes:
  {{- if .Values.prices }}
  - name: prices
    configMap:
      name: {{ include "fireworks-operator.suffixed" (list . "prices") | toYaml }}
  {{- end }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "fireworks-operator.container" -}}
name: operator
image: {{ include "fireworks-operator.image" . }}
{{- with .Values.image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
args:
  - run
  {{- range .Values.extraArgs }}
  - {{ . | quote }}
  {{- end }}
env:
  {{- include "fireworks-operator.environment" . | trim | nindent 2 }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - name: http
    containerPort: {{ .Values.settings.healthPort | default 8080 }}
    protocol: TCP
{{- with include "fireworks-operator.probe" (list .Values.livenessProbe "/healthz") }}
livenessProbe:
  {{- . | nindent 2 }}
{{- end }}
{{- with include "fireworks-operator.probe" (list .Values.readinessProbe "/readyz") }}
readinessProbe:
  {{- . | nindent 2 }}
{{- end }}
{{- with .Values.lifecycle }}
lifecycle:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with include "fireworks-operator.securityContext" (list . .Values.securityContext) }}
securityContext:
  {{- . | nindent 2 }}
{{- end }}
{{- if or .Values.prices .Values.extraVolumeMounts }}
volumeMounts:
  {{- if .Values.prices }}
  - name: prices
    mountPath: /etc/fireworks-operator/prices
    readOnly: true
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* A probe of a path, or by what the value asks for instead; nothing for null. Takes a list of value and path. */}}
{{- define "fireworks-operator.probe" -}}
{{- $probe := index . 0 -}}
{{- if not (kindIs "invalid" $probe) -}}
{{- if or (hasKey $probe "exec") (hasKey $probe "grpc") (hasKey $probe "tcpSocket") -}}
{{- toYaml $probe -}}
{{- else -}}
{{- $default := dict "httpGet" (dict "path" (index . 1) "port" "http") -}}
{{- include "fireworks-operator.merge" (list $default $probe) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/*
A security context. On OpenShift without ids: its constraint "restricted-v2" gives each namespace ids of its own and
refuses others. Takes a list of root and context.
*/}}
{{- define "fireworks-operator.securityContext" -}}
{{- $root := index . 0 -}}
{{- $adapt := ($root.Values.openshift | default dict).adaptSecurityContext | default "auto" -}}
{{- $here := $root.Capabilities.APIVersions.Has "security.openshift.io/v1" -}}
{{- $context := index . 1 | default dict -}}
{{- if or (eq $adapt "force") (and (eq $adapt "auto") $here) -}}
{{- $context = omit $context "runAsUser" "runAsGroup" "fsGroup" -}}
{{- end -}}
{{- with $context -}}
{{- toYaml . -}}
{{- end -}}
{{- end }}
