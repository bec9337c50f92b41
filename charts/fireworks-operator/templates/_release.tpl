{{/*
An image, with the digest that it was released with; takes a dict of root and image. A released chart lists its image in
an annotation, since a value would survive `helm upgrade --reuse-values`, and with it the former image. Of another
repository or tag no digest is known.
*/}}
{{- define "fireworks-operator.imageOfRelease" -}}
{{- $image := .image -}}
{{- range index .root.Chart.Annotations "artifacthub.io/images" | default "" | fromYamlArray -}}
{{- if hasPrefix (printf "%s@" $image) .image -}}
{{- $image = .image -}}
{{- end -}}
{{- end -}}
{{- $image -}}
{{- end }}
