{{/* What the cluster's and the sidecars' versions can do. Each helper gives "true" or nothing. */}}

{{- define "carina.kubeVersion" -}}
{{- default .Capabilities.KubeVersion.Version .Values.kubeVersionOverride -}}
{{- end -}}

{{/* (list $ "1.21"): Kubernetes is at least that. */}}
{{- define "carina.kubeAtLeast" -}}
{{- if semverCompare (printf ">=%s-0" (index . 1)) (include "carina.kubeVersion" (index . 0)) }}true{{ end -}}
{{- end -}}

{{/* (list "v2.2.2" "3.0"): an image is at least that; what is no version is taken for current. */}}
{{- define "carina.tagAtLeast" -}}
{{- $tag := toString (index . 0) -}}
{{- if not (regexMatch "^v?[0-9]+\\.[0-9]+" $tag) -}}
true
{{- else if semverCompare (printf ">=%s-0" (index . 1)) (regexFind "^v?[0-9]+\\.[0-9]+(\\.[0-9]+)?" $tag) -}}
true
{{- end -}}
{{- end -}}

{{/*
Whether CSIStorageCapacity objects are made. Before 1.21 the cluster has them only on demand, and only provisioners of
2.0 and 2.1 know that version of them; a newer one would wait for ever.
*/}}
{{- define "carina.capacity" -}}
{{- $tag := .Values.image.csiProvisioner.tag -}}
{{- if include "carina.kubeAtLeast" (list . "1.21") -}}
{{- if include "carina.tagAtLeast" (list $tag "2.2") }}true{{ end -}}
{{- else if .Capabilities.APIVersions.Has "storage.k8s.io/v1alpha1/CSIStorageCapacity" -}}
{{- if not (include "carina.tagAtLeast" (list $tag "2.2")) }}true{{ end -}}
{{- end -}}
{{- end -}}

{{/* API version of KubeSchedulerConfiguration. */}}
{{- define "carina.scheduler.configVersion" -}}
kubescheduler.config.k8s.io/
{{- if include "carina.kubeAtLeast" (list . "1.25") -}}v1
{{- else if include "carina.kubeAtLeast" (list . "1.23") -}}v1beta3
{{- else if include "carina.kubeAtLeast" (list . "1.22") -}}v1beta2
{{- else -}}v1beta1
{{- end -}}
{{- end -}}

{{- define "carina.budgetVersion" -}}
{{ include "carina.kubeAtLeast" (list . "1.21") | empty | ternary "policy/v1beta1" "policy/v1" }}
{{- end -}}
