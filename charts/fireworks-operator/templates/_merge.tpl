{{/*
What a free-form value adds to what the chart has, as YAML; takes a list of both maps. Maps are merged, null removes a
key, lists replace. Lists of a pod whose entries have a name are merged by it: a container with the container of its
name, any other entry in place of that of its name.
*/}}
{{- define "fireworks-operator.merge" -}}
{{- $keys := dict "containers" "name" "initContainers" "name" "volumes" "name" "env" "name" "ports" "name" "imagePullSecrets" "name" "volumeMounts" "mountPath" "hostAliases" "ip" -}}
{{- $base := index . 0 -}}
{{- $merged := omit $base -}}
{{- range $name, $value := index . 1 -}}
{{- $present := get $base $name -}}
{{- if kindIs "invalid" $value -}}
{{- $_ := unset $merged $name -}}
{{- else if kindIs "map" $value -}}
{{- $below := ternary $present dict (kindIs "map" $present) -}}
{{- $_ := set $merged $name (include "fireworks-operator.merge" (list $below $value) | fromYaml) -}}
{{- else if and (kindIs "slice" $value) (hasKey $keys $name) -}}
{{- $list := list (default list $present) $value (index $keys $name) (hasSuffix "ontainers" $name) -}}
{{- $_ := set $merged $name (include "fireworks-operator.mergeByKey" $list | fromYamlArray) -}}
{{- else -}}
{{- $_ := set $merged $name $value -}}
{{- end -}}
{{- end -}}
{{- toYaml $merged -}}
{{- end }}

{{/* A list with the entries of another; takes both, the key to tell entries by, and whether they are merged. */}}
{{- define "fireworks-operator.mergeByKey" -}}
{{- $key := index . 2 -}}
{{- $merge := index . 3 -}}
{{- $merged := index . 0 -}}
{{- range $entry := index . 1 -}}
{{- $found := false -}}
{{- $next := list -}}
{{- range $present := $merged -}}
{{- if and (hasKey $entry $key) (eq (get $entry $key | toString) (get $present $key | toString)) -}}
{{- $found = true -}}
{{- if $merge -}}
{{- $next = append $next (include "fireworks-operator.merge" (list $present $entry) | fromYaml) -}}
{{- else -}}
{{- $next = append $next $entry -}}
{{- end -}}
{{- else -}}
{{- $next = append $next $present -}}
{{- end -}}
{{- end -}}
{{- $merged = ternary $next (append $next $entry) $found -}}
{{- end -}}
{{- toYaml $merged -}}
{{- end }}
