{{/* Directories of the host that groups are kept in (HOST and FILE), and what the operator adds; as a JSON list. */}}
{{- define "carina.node.hostPaths" -}}
{{- $paths := list -}}
{{- range .Values.config.diskSelector -}}
{{- if kindIs "map" . -}}
{{- if has (upper (default "" .policy)) (list "HOST" "FILE") -}}
{{- range .re }}{{ $paths = append $paths (clean .) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range .Values.node.extraHostPaths }}{{ $paths = append $paths (clean .) }}{{ end -}}
{{ $paths | uniq | toJson }}
{{- end -}}

{{/* What the driver shares with its host: name, path, how, and whether it can only be read. */}}
{{- define "carina.node.mounts" -}}
{{- $node := .Values.node -}}
{{- $kubelet := trimSuffix "/" $node.kubelet -}}
# Mounts made here have to appear in the pods, and those of the kubelet here.
- {name: pods, path: {{ $kubelet }}/pods, type: DirectoryOrCreate, propagation: Bidirectional}
- {name: plugins, path: {{ $kubelet }}/plugins, type: DirectoryOrCreate, propagation: Bidirectional}
- {name: device-plugins, path: {{ $kubelet }}/device-plugins, type: DirectoryOrCreate}
- {name: dev, path: /dev, type: Directory}
- {name: sys, path: /sys, type: Directory, propagation: HostToContainer}
- {name: modules, path: /lib/modules, type: "", readOnly: true}
# LVM's locks: its commands on the host and in here must not change the same metadata.
- {name: lvm-lock, path: /run/lock/lvm, type: DirectoryOrCreate}
- {name: lvm-run, path: /run/lvm, type: DirectoryOrCreate}
{{- if $node.udev }}
- {name: udev, path: /run/udev, type: DirectoryOrCreate, propagation: HostToContainer}
{{- else }}
- {name: udev, path: /run/udev/data, type: DirectoryOrCreate, readOnly: true}
{{- end }}
{{- if $node.hostLvmConfig }}
- {name: lvm-config, path: /etc/lvm, type: Directory}
{{- end }}
- {name: state, path: {{ $node.stateDir }}, at: /var/lib/carina, type: DirectoryOrCreate}
{{- range $index, $path := include "carina.node.hostPaths" . | fromJsonArray }}
- {name: directory-{{ $index }}, path: {{ $path | quote }}, type: DirectoryOrCreate, propagation: HostToContainer}
{{- end }}
{{- end -}}

{{/* The mounts of them. */}}
{{- define "carina.node.volumeMounts" -}}
{{- range include "carina.node.mounts" . | fromYamlArray }}
- name: {{ .name }}
  mountPath: {{ default .path .at }}
  {{- with .propagation }}
  mountPropagation: {{ . }}
  {{- end }}
  {{- if .readOnly }}
  readOnly: true
  {{- end }}
{{- end }}
{{- end -}}
