{{- define "filelessd.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "filelessd.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "filelessd.selectorLabels" -}}
app.kubernetes.io/name: {{ include "filelessd.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "filelessd.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
{{ include "filelessd.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: filelessd
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
{{- end }}

{{- define "filelessd.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "filelessd.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "filelessd.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* The default of persistence.type by mode. */}}
{{- define "filelessd.persistence" -}}
{{- if .Values.persistence.type }}
{{- .Values.persistence.type }}
{{- else if eq .Values.mode "central" }}
{{- "pvc" }}
{{- else }}
{{- "hostPath" }}
{{- end }}
{{- end }}

{{- define "filelessd.preStopSleepSeconds" -}}
{{- if lt (int .Values.preStopSleepSeconds) 0 }}
{{- eq .Values.mode "daemonset" | ternary 5 0 }}
{{- else }}
{{- int .Values.preStopSleepSeconds }}
{{- end }}
{{- end }}

{{/* Seconds of a duration of the configuration such as 10s or 2m; -1 of another form, which filelessd reads. */}}
{{- define "filelessd.seconds" -}}
{{- if regexMatch "^[0-9]+s$" . }}
{{- trimSuffix "s" . | int }}
{{- else if regexMatch "^[0-9]+m$" . }}
{{- mul 60 (trimSuffix "m" . | int) }}
{{- else }}
{{- -1 }}
{{- end }}
{{- end }}

{{/* The source of the mode, where the values give none. */}}
{{- define "filelessd.source" -}}
{{- if eq .Values.mode "central" }}
type: falco_http
listen: 0.0.0.0:2801
token: ${FALCO_TOKEN}
{{- if .Values.tls.existingSecret }}
tls:
  cert_file: /run/secrets/filelessd/tls/tls.crt
  key_file: /run/secrets/filelessd/tls/tls.key
  {{- if .Values.tls.clientCA }}
  client_ca_file: /run/secrets/filelessd/tls/ca.crt
  {{- end }}
{{- end }}
{{- else if and (eq .Values.mode "sidecar") (eq .Values.sidecar.source "http") }}
type: falco_http
listen: 127.0.0.1:2801
{{- else }}
type: falco_grpc
address: unix:///run/falco/falco.sock
{{- end }}
{{- end }}

{{/* The whole configuration: the mode's defaults, and the values over them. */}}
{{- define "filelessd.config" -}}
{{- $config := dict "data_dir" "/var/lib/filelessd" "http" (dict "listen" "0.0.0.0:2804") }}
{{- if not (get .Values.config "sources") }}
{{- $_ := set $config "sources" (dict "falco" (include "filelessd.source" . | fromYaml)) }}
{{- end }}
{{- if not (get .Values.config "sinks") }}
{{- $_ := set $config "sinks" (dict "console" (dict "type" "stdout" "format" "json")) }}
{{- end }}
{{- mergeOverwrite $config (deepCopy .Values.config) | toYaml }}
{{- end }}

{{/* The environment that the secrets make, of the daemon and of its test. */}}
{{- define "filelessd.envFrom" -}}
{{- if .Values.secrets }}
- secretRef:
    name: {{ include "filelessd.fullname" . | quote }}
{{- end }}
{{- range .Values.existingSecrets }}
- secretRef:
    name: {{ . | quote }}
{{- end }}
{{- end }}

{{- define "filelessd.podSecurityContext" -}}
{{- $context := dict "seccompProfile" (dict "type" "RuntimeDefault") }}
{{- if eq .Values.mode "central" }}
{{- $context = mergeOverwrite $context (dict "runAsNonRoot" true "runAsUser" 65532 "runAsGroup" 65532 "fsGroup" 65532 "fsGroupChangePolicy" "OnRootMismatch") }}
{{- else }}
{{- /* Falco's socket is root's, with mode 0755: only uid 0 connects. It has no capability. */}}
{{- $context = mergeOverwrite $context (dict "runAsUser" 0 "runAsGroup" 0) }}
{{- end }}
{{- mergeOverwrite $context (deepCopy .Values.podSecurityContext) | toYaml }}
{{- end }}

{{- define "filelessd.securityContext" -}}
{{- $context := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) }}
{{- mergeOverwrite $context (deepCopy .Values.securityContext) | toYaml }}
{{- end }}
