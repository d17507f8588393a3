{{/*
What hub and leaves are told. The operator's Secret adds who is trusted (`auth.conf`: operator, system account, resolver;
on a leaf also SINTER_ACCOUNT, the public key of the account of calls). The laptop's counterpart is
operator/src/local/nats/config.ts; both must agree on domain, limits, and compression.
*/}}

{{- define "sinter.natsCommon" -}}
server_name: $SINTER_SERVER_NAME
port: 4222
pid_file: /run/nats/nats.pid
{{- if .Values.nats.monitoring }}
http_port: 8222
{{- end }}
# Credentials carry hundreds of subjects.
max_control_line: 262144
max_payload: 1048576
lame_duck_grace_period: 5s
lame_duck_duration: 30s
{{- if include "sinter.tlsOn" . }}
tls {
  cert_file: /etc/nats-tls/tls.crt
  key_file: /etc/nats-tls/tls.key
  timeout: 5
}
{{- end }}
# Paths are relative to this file.
include ../nats-auth/auth.conf
{{- end -}}

{{- define "sinter.hubConfig" -}}
{{- $fullname := include "sinter.fullname" . -}}
{{- $hub := .Values.nats.hub -}}
{{ include "sinter.natsCommon" . }}
jetstream {
  domain: hub
  store_dir: /data/store
  max_memory_store: {{ int64 $hub.maxMemoryStoreBytes }}
  max_file_store: {{ int64 $hub.maxFileStoreBytes }}
  {{- if eq $hub.persistence.sync "Always" }}
  sync_interval: always
  {{- end }}
}
leafnodes {
  port: 7422
  no_advertise: true
  compression: off
  {{- if include "sinter.tlsOn" . }}
  tls {
    cert_file: /etc/nats-tls/tls.crt
    key_file: /etc/nats-tls/tls.key
    timeout: 5
  }
  {{- end }}
}
{{- if gt (int $hub.replicas) 1 }}
cluster {
  name: {{ $fullname }}
  port: 6222
  no_advertise: true
  {{- if include "sinter.tlsOn" . }}
  # Only a certificate with the name of a known hub server joins: a leaf's has none.
  tls {
    cert_file: /etc/nats-tls/tls.crt
    key_file: /etc/nats-tls/tls.key
    ca_file: /etc/nats-tls/ca.crt
    verify_cert_and_check_known_urls: true
    timeout: 5
  }
  {{- end }}
  routes: [
    {{- range until (int $hub.replicas) }}
    "nats-route://{{ $fullname }}-nats-hub-{{ . }}.{{ $fullname }}-nats-headless.{{ $.Release.Namespace }}.svc:6222"
    {{- end }}
  ]
}
{{- end }}
{{- end -}}

{{- define "sinter.leafConfig" -}}
{{ include "sinter.natsCommon" . }}
leafnodes {
  reconnect: "250ms"
  remotes: [
    {
      url: "{{ ternary "tls" "nats-leaf" (eq (include "sinter.tlsOn" .) "true") }}://{{ include "sinter.hubHost" . }}:7422"
      account: $SINTER_ACCOUNT
      credentials: "/etc/nats-auth/leaf.creds"
      compression: off
      {{- if include "sinter.tlsOn" . }}
      tls {
        ca_file: /etc/nats-tls/ca.crt
        timeout: 5
      }
      {{- end }}
    }
  ]
}
{{- end -}}

{{/* Probes of both. Argument: list of context, of the path that says "ready", and of the one that says "started". */}}
{{- define "sinter.natsProbes" -}}
{{- if (index . 0).Values.nats.monitoring }}
startupProbe:
  httpGet:
    path: {{ index . 2 }}
    port: monitor
  periodSeconds: 1
  failureThreshold: 300
livenessProbe:
  httpGet:
    path: /healthz?js-enabled-only=true
    port: monitor
  periodSeconds: 15
  timeoutSeconds: 5
  failureThreshold: 4
readinessProbe:
  httpGet:
    path: {{ index . 1 }}
    port: monitor
  periodSeconds: 3
  timeoutSeconds: 3
{{- else }}
livenessProbe:
  tcpSocket:
    port: client
  periodSeconds: 15
  timeoutSeconds: 5
  failureThreshold: 4
readinessProbe:
  tcpSocket:
    port: client
  periodSeconds: 3
{{- end }}
{{- end -}}

{{/* Mounts of both. */}}
{{- define "sinter.natsMounts" -}}
- name: config
  mountPath: /etc/nats
  readOnly: true
- name: auth
  mountPath: /etc/nats-auth
  readOnly: true
{{- if include "sinter.tlsOn" . }}
- name: tls
  mountPath: /etc/nats-tls
  readOnly: true
{{- end }}
- name: run
  mountPath: /run/nats
- name: data
  mountPath: /data
{{- end -}}

{{/* Volumes of both but `data`. The Secrets are made by the operator (or cert-manager): pods wait for them. Argument: list of context, component. */}}
{{- define "sinter.natsVolumes" -}}
{{- $name := printf "%s-%s" (include "sinter.fullname" (index . 0)) (index . 1) -}}
- name: config
  configMap:
    name: {{ $name }}
- name: auth
  secret:
    secretName: {{ $name }}
    defaultMode: 0440
{{- if include "sinter.tlsOn" (index . 0) }}
- name: tls
  secret:
    secretName: {{ $name }}-tls
    defaultMode: 0440
{{- end }}
- name: run
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
{{- end -}}
