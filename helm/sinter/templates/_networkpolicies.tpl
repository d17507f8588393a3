{{/* A policy has ingress and egress of its own for each part; nothing else is open. */}}
{{- define "sinter.policyHead" }}
{{- $root := index . 0 }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "sinter.fullname" $root }}-{{ index . 1 }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "sinter.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- include "sinter.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
{{- end }}
{{- define "sinter.part" -}}
podSelector:
  matchLabels: {{- include "sinter.selector" . | nindent 4 }}
{{- end }}
{{- define "sinter.dns" -}}
# DNS.
- ports:
    {{- range .Values.networkPolicy.dnsPorts }}
    - {protocol: UDP, port: {{ . }}}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end }}
{{- define "sinter.externalNats" -}}
# The bus, which is not the chart's.
- ports:
    {{- $ports := list }}
    {{- range .Values.nats.external.urls }}
    {{- $ports = append $ports (regexFind ":[0-9]+$" . | trimPrefix ":" | default "4222") }}
    {{- end }}
    {{- range uniq $ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end }}
