{{/* Names and labels. The labels "app" are also selectors, as in Carina's chart, and must stay. */}}

{{- define "carina.driver" -}}carina.storage.io{{- end -}}

{{- define "carina.configMap" -}}carina-csi-config{{- end -}}

{{- define "carina.controller.service" -}}carina-controller{{- end -}}

{{- define "carina.node.service" -}}carina-node{{- end -}}

{{- define "carina.webhook.secret" -}}mutatingwebhook{{- end -}}

{{- define "carina.webhook.configuration" -}}{{ .Release.Name }}-hook{{- end -}}

{{/* "true" or nothing. webhook.enable is the spelling of Carina's README. */}}
{{- define "carina.webhook.enabled" -}}
{{- if hasKey .Values.webhook "enable" -}}
{{- if .Values.webhook.enable }}true{{ end -}}
{{- else if .Values.webhook.enabled -}}
true
{{- end -}}
{{- end -}}

{{/* Labels of an object. (dict "root" $ "app" name "component" name) */}}
{{- define "carina.labels" -}}
{{ include "carina.podLabels" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Labels of pods: nothing that changes with each version. */}}
{{- define "carina.podLabels" -}}
app: {{ .app }}
class: carina
release: {{ .root.Release.Name | quote }}
app.kubernetes.io/name: {{ default .root.Chart.Name .name }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "carina.controller.labels" -}}
{{ include "carina.labels" (dict "root" . "app" .Values.controller.name "component" "controller") }}
{{- end -}}

{{- define "carina.node.labels" -}}
{{ include "carina.labels" (dict "root" . "app" .Values.node.name "component" "node") }}
{{- end -}}

{{- define "carina.scheduler.name" -}}
{{- $scheduler := index .Values "carina-scheduler" -}}
{{- default "carina-scheduler" $scheduler.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "carina.scheduler.appName" -}}
{{- $scheduler := index .Values "carina-scheduler" -}}
{{- default "carina-scheduler" $scheduler.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "carina.scheduler.labels" -}}
{{ include "carina.labels" (dict "root" . "app" "csi-carina-scheduler" "component" "scheduler" "name" (include "carina.scheduler.appName" .)) }}
{{- end -}}

{{- define "carina.scheduler.account" -}}
{{- $account := (index .Values "carina-scheduler").serviceAccount -}}
{{- if $account.create -}}
{{- default (include "carina.scheduler.name" .) $account.name -}}
{{- else -}}
{{- default "default" $account.name -}}
{{- end -}}
{{- end -}}

{{/* The class that examples use: its group. */}}
{{- define "carina.defaultGroup" -}}
{{- $names := list -}}
{{- range .Values.config.diskSelector -}}
{{- if kindIs "map" . }}{{ $names = append $names .name }}{{ end -}}
{{- end -}}
{{- if or (has "carina-vg-hdd" $names) (not $names) -}}carina-vg-hdd{{- else -}}{{ first $names }}{{- end -}}
{{- end -}}

{{/* Pull secrets as a list of references; they may be given as names, too. */}}
{{- define "carina.pullSecrets" -}}
{{- range . }}
- name: {{ if kindIs "map" . }}{{ .name }}{{ else }}{{ . }}{{ end }}
{{- end }}
{{- end -}}
