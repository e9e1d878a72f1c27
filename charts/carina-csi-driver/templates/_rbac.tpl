{{/* Rules that every silo needs: a grain, and with it what it stores, may be in any of them. */}}

{{/* Cluster-wide. */}}
{{- define "carina.silo.clusterRules" -}}
# State of volumes and ledgers of nodes.
- apiGroups: [carina.storage.io]
  resources: [logicvolumes, nodestorageresources]
  verbs: [get, list, watch, create, update, patch, delete]
- apiGroups: [carina.storage.io]
  resources: [logicvolumes/status, nodestorageresources/status]
  verbs: [get, update, patch]
# Labels of nodes, and whether they are there.
- apiGroups: [""]
  resources: [nodes]
  verbs: [get, list, watch]
{{- end -}}

{{/* In the release's namespace. */}}
{{- define "carina.silo.rules" -}}
# The membership table, and a heartbeat per silo.
- apiGroups: [carina.storage.io]
  resources: [orleansmemberships]
  verbs: [get, list, watch, create, update, patch]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, list, watch, create, update, patch, delete]
# The end of a silo's pod is the end of the silo.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
{{- end -}}

{{/* (dict "root" $ "name" "kind" "role" "account" "labels"): a binding to one account; namespaced where "namespace" is given. */}}
{{- define "carina.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ hasKey . "namespace" | ternary "RoleBinding" "ClusterRoleBinding" }}
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels: {{- .labels | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ default (hasKey . "namespace" | ternary "Role" "ClusterRole") .kind }}
  name: {{ default .name .role }}
subjects:
  - kind: ServiceAccount
    name: {{ .account }}
    namespace: {{ .root.Release.Namespace }}
{{- end -}}
