{{/*
Names and labels. docs/ARCHITECTURE.md and the operator know these names; they are derived nowhere else in the chart.
*/}}

{{- define "sinter.chartName" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "sinter.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "sinter.chartName" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Labels that select pods: never changed, they are immutable in a Deployment. Argument: list of context and component. */}}
{{- define "sinter.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "sinter.chartName" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Labels of everything. */}}
{{- define "sinter.labels" -}}
{{- $root := index . 0 -}}
{{ include "sinter.selector" . }}
app.kubernetes.io/part-of: {{ include "sinter.chartName" $root }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of pods: without versions, so that an upgrade of the chart alone restarts nothing. */}}
{{- define "sinter.podLabels" -}}
{{- $root := index . 0 -}}
{{ include "sinter.selector" . }}
app.kubernetes.io/part-of: {{ include "sinter.chartName" $root }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "sinter.operatorAccount" -}}
{{- with .Values.operator.serviceAccount -}}
{{- if .create -}}
{{- default (printf "%s-operator" (include "sinter.fullname" $)) .name -}}
{{- else -}}
{{- required "operator.serviceAccount.name must be given when operator.serviceAccount.create is false" .name -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* An image by digest, else by tag. Argument: list of image values and default tag. */}}
{{- define "sinter.image" -}}
{{- $image := index . 0 -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default (index . 1) $image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "sinter.ownImage" -}}
{{- include "sinter.image" (list .Values.image .Chart.AppVersion) -}}
{{- end -}}

{{- define "sinter.hubHost" -}}
{{- printf "%s-nats.%s.svc" (include "sinter.fullname" .) .Release.Namespace -}}
{{- end -}}

{{- define "sinter.tlsOn" -}}
{{- if and (eq .Values.nats.mode "Bundled") (ne .Values.tls.mode "Off") -}}true{{- end -}}
{{- end -}}

{{/* Addresses of the hub, comma between them. */}}
{{- define "sinter.natsUrls" -}}
{{- if eq .Values.nats.mode "Bundled" -}}
{{- printf "%s://%s:4222" (ternary "tls" "nats" (eq (include "sinter.tlsOn" .) "true")) (include "sinter.hubHost" .) -}}
{{- else -}}
{{- join "," .Values.nats.external.urls -}}
{{- end -}}
{{- end -}}

{{- define "sinter.leafOn" -}}
{{- if and (eq .Values.nats.mode "Bundled") .Values.nats.leaf.enabled -}}true{{- end -}}
{{- end -}}

{{/* Addresses of the bus for a pod that knows its machine's address as SINTER_HOST_IP: nearest first. A JSON list. */}}
{{- define "sinter.nearestUrls" -}}
{{- $urls := splitList "," (include "sinter.natsUrls" .) -}}
{{- if include "sinter.leafOn" . -}}
{{- $scheme := ternary "tls" "nats" (eq (include "sinter.tlsOn" .) "true") -}}
{{- $urls = prepend $urls (printf "%s://$(SINTER_HOST_IP):%d" $scheme (int .Values.nats.leaf.hostPort)) -}}
{{- end -}}
{{- toJson $urls -}}
{{- end -}}

{{/* What users of functions call. */}}
{{- define "sinter.gatewayUrl" -}}
{{- $gateway := .Values.gateway -}}
{{- if $gateway.url -}}
{{- $gateway.url -}}
{{- else if and $gateway.ingress.enabled $gateway.ingress.hosts -}}
{{- printf "%s://%s" (ternary "https" "http" (not (empty $gateway.ingress.tls))) (first $gateway.ingress.hosts) -}}
{{- else if and $gateway.httpRoute.enabled $gateway.httpRoute.hostnames -}}
{{- printf "http://%s" (first $gateway.httpRoute.hostnames) -}}
{{- else if $gateway.enabled -}}
{{- $port := int $gateway.service.port -}}
{{- printf "http://%s-gateway.%s.svc%s" (include "sinter.fullname" .) .Release.Namespace (ternary "" (printf ":%d" $port) (eq $port 80)) -}}
{{- end -}}
{{- end -}}

{{/* Which issuers the gateway asks, as the rest of a JSON object; nothing where no value is given. */}}
{{- define "sinter.issuers" -}}
{{- $given := dict -}}
{{- with .Values.gateway.issuers -}}
{{- if .hosts -}}{{- $_ := set $given "hosts" .hosts -}}{{- end -}}
{{- if .ca -}}{{- $_ := set $given "ca" .ca -}}{{- end -}}
{{- end -}}
{{- if $given -}}{{- printf ",\"issuers\":%s" (toJson $given) -}}{{- end -}}
{{- end -}}
