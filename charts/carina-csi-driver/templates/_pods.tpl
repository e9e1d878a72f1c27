{{/* What the containers of our pods have in common. */}}

{{/* For every container but the node's driver. */}}
{{- define "carina.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "carina.podIdentity" -}}
- name: NODE_NAME
  valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_UID
  valueFrom: {fieldRef: {fieldPath: metadata.uid}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: POD_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
- name: Logging__LogLevel__Carina
  value: {{ .Values.silo.logLevel }}
{{- end -}}

{{/* (list $ directory of config.json): arguments of the driver in every role. */}}
{{- define "carina.siloArguments" -}}
- --store=kubernetes
- --address=$(POD_IP)
- --port={{ (index . 0).Values.silo.port }}
- --csi-socket=/csi/csi.sock
- --config={{ index . 1 }}/config.json
- --run-directory=/run/carina
{{- end -}}

{{/* Probes of the driver. It lives as long as it makes progress; whether the API server answers is no part of that. */}}
{{- define "carina.siloProbes" -}}
startupProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: {{ . }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
{{- end -}}

{{/* (list $ values image): the sidecar livenessprobe. */}}
{{- define "carina.livenessSidecar" -}}
{{- $root := index . 0 }}
{{- $values := index . 1 }}
- name: liveness-probe
  image: {{ include "carina.image" (dict "root" $root "image" $root.Values.image.livenessProbe) }}
  imagePullPolicy: {{ $root.Values.image.livenessProbe.pullPolicy }}
  args:
    - --csi-address=unix:///csi/csi.sock
    - --probe-timeout=3s
    - --health-port={{ $values.livenessProbe.healthPort }}
    - --v={{ $values.logLevel }}
  ports:
    - {name: healthz, containerPort: {{ $values.livenessProbe.healthPort }}, protocol: TCP}
  volumeMounts:
    - {name: socket-dir, mountPath: /csi}
  securityContext: {{- include "carina.confined" $root | nindent 4 }}
  {{- with $values.resources.livenessProbe }}
  resources: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* Leader election of a sidecar whose standby takes over in five seconds, not in the twenty that its defaults take. */}}
{{- define "carina.leaderElection" -}}
- --leader-election=true
- --leader-election-namespace={{ (index . 0).Release.Namespace }}
{{- if index . 1 }}
- --leader-election-lease-duration=5s
- --leader-election-renew-deadline=4s
- --leader-election-retry-period=1s
{{- end }}
{{- end -}}
