{{- define "carina.scheduler.config" -}}
{{- $scheduler := index .Values "carina-scheduler" -}}
apiVersion: {{ include "carina.scheduler.configVersion" . }}
kind: KubeSchedulerConfiguration
leaderElection:
  leaderElect: true
  leaseDuration: 5s
  renewDeadline: 4s
  retryPeriod: 1s
  resourceLock: leases
  resourceName: carina-scheduler
  resourceNamespace: {{ .Release.Namespace }}
{{- if eq (include "carina.scheduler.configVersion" .) "kubescheduler.config.k8s.io/v1beta1" }}
# Without authentication, and not to be turned off: at least not for others.
healthzBindAddress: 127.0.0.1:10251
metricsBindAddress: 127.0.0.1:10251
{{- end }}
profiles:
  - schedulerName: carina-scheduler
extenders:
  - urlPrefix: https://{{ include "carina.controller.service" . }}.{{ .Release.Namespace }}.svc:443/scheduler
    filterVerb: filter
    prioritizeVerb: prioritize
    weight: {{ $scheduler.extenderWeight }}
    enableHTTPS: true
    tlsConfig:
      caFile: /etc/carina-ca/ca.crt
    httpTimeout: 5s
    nodeCacheCapable: true
    # Without an answer pods are scheduled all the same: a node without room is refused when the volume is made.
    ignorable: true
{{- end -}}
