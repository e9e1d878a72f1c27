{{/* (dict "root" $ "image" .Values.image.x "tag" tag): a full image name. */}}
{{- define "carina.image" -}}
{{- $repository := .image.repository -}}
{{- $base := trimSuffix "/" (default "" .root.Values.image.baseRepo) -}}
{{- if hasPrefix "/" $repository -}}
{{- $repository = empty $base | ternary (trimPrefix "/" $repository) (printf "%s%s" $base $repository) -}}
{{- end -}}
{{ $repository }}:{{ default .image.tag .tag }}
{{- end -}}

{{/* An image of our own. Old values files name Carina's, which is another program. */}}
{{- define "carina.ownImage" -}}
{{- $tag := toString (default "" .image.tag) -}}
{{- if or (empty $tag) (regexMatch "^v0\\.(9|1[0-4])([.-]|$)" $tag) -}}
{{- $tag = .root.Chart.AppVersion -}}
{{- end -}}
{{ include "carina.image" (dict "root" .root "image" .image "tag" $tag) }}
{{- end -}}

{{/* A kube-scheduler of the cluster's version. Old values files name Carina's, which knows no extender. */}}
{{- define "carina.scheduler.image" -}}
{{- $image := (index .Values "carina-scheduler").image -}}
{{- $tag := toString (default "" $image.tag) -}}
{{- $repository := $image.repository -}}
{{- if regexMatch "(^|/)(carina-scheduler|scheduler|carina)$" $repository -}}
{{- $repository = "/kube-scheduler" -}}
{{- $tag = "" -}}
{{- end -}}
{{- if empty $tag -}}
{{- $tag = printf "v%s" (regexFind "[0-9]+\\.[0-9]+\\.[0-9]+" (include "carina.kubeVersion" .)) -}}
{{- end -}}
{{ include "carina.image" (dict "root" . "image" (dict "repository" $repository) "tag" $tag) }}
{{- end -}}

{{/*
(list given "memory limit of Carina's" ours): resources of the driver's container. Carina's own defaults, which
--reuse-values and copied values files bring along, would have this program killed.
*/}}
{{- define "carina.ownResources" -}}
{{- $given := index . 0 -}}
{{- $memory := dig "limits" "memory" "" (default dict $given) -}}
{{- $cpu := dig "limits" "cpu" "" (default dict $given) -}}
{{- if has (printf "%v/%v" $cpu $memory) (index . 1) -}}
{{ toYaml (dict "limits" (dict "memory" "512Mi") "requests" (dict "cpu" "50m" "memory" "128Mi")) }}
{{- else -}}
{{ toYaml $given }}
{{- end -}}
{{- end -}}
