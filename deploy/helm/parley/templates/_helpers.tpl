{{- define "parley.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "parley.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "parley.selectorLabels" -}}
app.kubernetes.io/name: {{ include "parley.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "parley.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "parley.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "parley.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "parley.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "parley.image" -}}
{{- $image := printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- with .Values.image.digest }}{{ $image = printf "%s@%s" $image . }}{{ end }}
{{- $image }}
{{- end }}

{{/* The Secret with certificate and key of the listeners, or nothing where they speak plain text. */}}
{{- define "parley.tlsSecret" -}}
{{- if .Values.tls.certManager.enabled }}
{{- default (printf "%s-tls" (include "parley.fullname" .)) .Values.tls.existingSecret }}
{{- else }}
{{- .Values.tls.existingSecret }}
{{- end }}
{{- end }}

{{/* Whether there may be more than one replica. */}}
{{- define "parley.several" -}}
{{- if or .Values.autoscaling.enabled (gt (int .Values.replicaCount) 1) }}true{{ end }}
{{- end }}

{{/* The settings of the gateway: the chart's, with those of the values over them. */}}
{{- define "parley.config" -}}
{{- $all := dict
  "grpc_addr" "0.0.0.0:9090"
  "http_addr" "0.0.0.0:8080"
  "log_format" "json"
  "audit_file" "/dev/stdout"
  "shutdown_delay" (printf "%ds" (int .Values.shutdown.delaySeconds))
  "shutdown_timeout" (printf "%ds" (int .Values.shutdown.timeoutSeconds)) }}
{{- if .Values.metrics.enabled }}{{ $_ := set $all "metrics_addr" (printf "0.0.0.0:%d" (int .Values.metrics.port)) }}{{ end }}
{{- with .Values.secrets }}
{{- if .clientSecret.existingSecret }}{{ $_ := set $all "graph_client_secret_file" (printf "/etc/parley/client-secret/%s" .clientSecret.key) }}{{ end }}
{{- if .clientCertificate.existingSecret }}{{ $_ := set $all "graph_certificate_file" (printf "/etc/parley/client-certificate/%s" .clientCertificate.key) }}{{ end }}
{{- if .sealKeys.existingSecret }}{{ $_ := set $all "seal_keys_file" (printf "/etc/parley/seal-keys/%s" .sealKeys.key) }}{{ end }}
{{- end }}
{{- if .Values.workloadIdentity.enabled }}{{ $_ := set $all "graph_credential" "workload-identity" }}{{ end }}
{{- if or .Values.policy.text .Values.policy.existingConfigMap }}{{ $_ := set $all "policy_file" (printf "/etc/parley/policy/%s" .Values.policy.key) }}{{ end }}
{{- if include "parley.tlsSecret" . }}
{{- $_ := set $all "tls_cert_file" "/etc/parley/tls/tls.crt" }}
{{- $_ := set $all "tls_key_file" "/etc/parley/tls/tls.key" }}
{{- end }}
{{- if .Values.tls.clientCA.existingConfigMap }}{{ $_ := set $all "tls_client_ca_file" (printf "/etc/parley/client-ca/%s" .Values.tls.clientCA.key) }}{{ end }}
{{- if .Values.tls.terminated }}{{ $_ := set $all "tls_terminated" true }}{{ end }}
{{- toYaml (mergeOverwrite $all (deepCopy .Values.config)) }}
{{- end }}

{{/* What a probe asks: the listener of metrics, else REST. */}}
{{- define "parley.probe" -}}
httpGet:
  path: {{ .path }}
  {{- if .root.Values.metrics.enabled }}
  port: metrics
  {{- else }}
  port: http
  scheme: {{ if include "parley.tlsSecret" .root }}HTTPS{{ else }}HTTP{{ end }}
  {{- end }}
{{- end }}

{{/* Labels of the exporter: other ones than the gateway's, whose Services must not lead to it. */}}
{{- define "parley.exportLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: {{ include "parley.name" . | trunc 56 | trimSuffix "-" }}-export
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "parley.exportServiceAccountName" -}}
{{- if .Values.export.serviceAccount.create }}
{{- default (printf "%s-export" (include "parley.fullname" .)) .Values.export.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.export.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "parley.exportImage" -}}
{{- $image := printf "%s:%s" .Values.export.image.repository (default .Chart.AppVersion .Values.export.image.tag) }}
{{- with .Values.export.image.digest }}{{ $image = printf "%s@%s" $image . }}{{ end }}
{{- $image }}
{{- end }}
