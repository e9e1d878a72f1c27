{{/*
The classes to make, as a JSON list: the default one, those of the values in both of their spellings, and those that
Carina's charts made under names of their own and this release still has.
*/}}
{{- define "carina.classes" -}}
{{- $storage := .Values.storage -}}
{{- $classes := list -}}
{{- with $storage.defaultClass -}}
{{- if .create -}}
{{- $classes = append $classes (merge (dict "disktype" (default (include "carina.defaultGroup" $) .disktype)) .) -}}
{{- end -}}
{{- end -}}
{{- $classes = concat $classes (default list $storage.StorageClass) -}}
{{- range $kind := list "lvm" "raw" -}}
{{- with get $storage $kind }}{{ $classes = append $classes (merge (dict "name" (printf "csi-carina-%s" $kind)) .) }}{{ end -}}
{{- end -}}
{{- $names := list -}}
{{- range $classes }}{{ $names = append $names (default .disktype .name) }}{{ end -}}
{{- range list "csi-carina-sc" "csi-carina-lvm" "csi-carina-raw" "carina-raw-ssd" -}}
{{- if not (has . $names) -}}
{{- $old := lookup "storage.k8s.io/v1" "StorageClass" "" . -}}
{{- if eq $.Release.Name (dig "metadata" "annotations" "meta.helm.sh/release-name" "" $old) -}}
{{- $classes = append $classes (dict "name" . "fstype" "" "disktype" "" "mountOptions" $old.mountOptions) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{ toJson $classes }}
{{- end -}}
