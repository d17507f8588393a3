{{/*
What pods of the chart have in common: the restricted Pod Security level, and where they run.
*/}}

{{- define "sinter.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "sinter.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop:
    - ALL
{{- end -}}

{{/* Argument: list of context, values of the part, component. */}}
{{- define "sinter.scheduling" -}}
{{- $root := index . 0 -}}
{{- $part := index . 1 -}}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- with $part.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $part.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Argument as above. Without a list of its own, pods of one part are spread where it can be. */}}
{{- define "sinter.spread" -}}
{{- $labels := include "sinter.selector" (list (index . 0) (index . 2)) | fromYaml -}}
{{- $selector := dict "matchLabels" $labels -}}
{{- $own := (index . 1).topologySpreadConstraints -}}
{{- $either := list
  (dict "topologyKey" "kubernetes.io/hostname" "maxSkew" 1 "whenUnsatisfiable" "ScheduleAnyway")
  (dict "topologyKey" "topology.kubernetes.io/zone" "maxSkew" 1 "whenUnsatisfiable" "ScheduleAnyway") -}}
topologySpreadConstraints:
{{- range (default $either $own) }}
  - {{- toYaml (merge (dict "labelSelector" $selector) .) | nindent 4 }}
{{- end }}
{{- end -}}

{{/* A PodDisruptionBudget. Argument as above. */}}
{{- define "sinter.disruption" -}}
{{- $root := index . 0 -}}
{{- $part := index . 1 -}}
{{- $component := index . 2 -}}
{{- if and $part.podDisruptionBudget.enabled (gt (int $part.replicas) 1) }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "sinter.fullname" $root }}-{{ $component }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "sinter.labels" (list $root $component) | nindent 4 }}
spec:
  maxUnavailable: {{ $part.podDisruptionBudget.maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "sinter.selector" (list $root $component) | nindent 6 }}
{{- end }}
{{- end -}}

{{/* Requests and limits; claims only where there are some. */}}
{{- define "sinter.resources" -}}
{{- if .claims }}{{ toYaml . }}{{ else }}{{ toYaml (omit . "claims") }}{{ end }}
{{- end -}}
