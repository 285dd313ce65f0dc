{{/* The pod of central and daemonset. */}}
{{- define "filelessd.pod" -}}
metadata:
  labels:
    {{- include "filelessd.selectorLabels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if or .Values.podAnnotations .Values.secrets }}
  annotations:
    {{- if .Values.secrets }}
    # Variables are read at the start only. The configuration needs no such sum: the daemon sees its change.
    checksum/secrets: {{ toJson .Values.secrets | sha256sum | quote }}
    {{- end }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
spec:
  serviceAccountName: {{ include "filelessd.serviceAccountName" . | quote }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- if and (eq .Values.mode "daemonset") .Values.daemonset.hostPID }}
  hostPID: true
  {{- end }}
  securityContext:
    {{- include "filelessd.podSecurityContext" . | nindent 4 }}
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . | quote }}
  {{- end }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if and (not .Values.tolerations) (eq .Values.mode "daemonset") }}
  tolerations:
    - key: node-role.kubernetes.io/master
      effect: NoSchedule
    - key: node-role.kubernetes.io/control-plane
      effect: NoSchedule
  {{- else if .Values.tolerations }}
  tolerations:
    {{- toYaml .Values.tolerations | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: filelessd
      {{- include "filelessd.container" . | nindent 6 }}
  volumes:
    {{- include "filelessd.volumes" . | nindent 4 }}
{{- end }}

{{- define "filelessd.container" -}}
image: {{ include "filelessd.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
command: [/usr/bin/filelessd]
args: [run, -c, /etc/filelessd/config.yaml]
{{- with include "filelessd.envFrom" . | trim }}
envFrom:
  {{- . | nindent 2 }}
{{- end }}
{{- with .Values.extraEnv }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  {{- if eq .Values.mode "central" }}
  - name: falco-http
    containerPort: 2801
    protocol: TCP
  {{- end }}
  - name: http
    containerPort: 2804
    protocol: TCP
# Recovering a damaged log takes its time, before the port is open.
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
{{- if and (ne (include "filelessd.preStopSleepSeconds" .) "0") (semverCompare ">= 1.30.0-0" .Capabilities.KubeVersion.Version) }}
lifecycle:
  preStop:
    sleep:
      seconds: {{ include "filelessd.preStopSleepSeconds" . }}
{{- end }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  {{- include "filelessd.securityContext" . | nindent 2 }}
volumeMounts:
  # The directory and not the file: a subPath would never change.
  - name: config
    mountPath: /etc/filelessd
    readOnly: true
  - name: data
    mountPath: /var/lib/filelessd
  {{- if eq .Values.mode "daemonset" }}
  - name: falco-socket
    mountPath: /run/falco
    readOnly: true
  {{- end }}
  {{- if .Values.tls.existingSecret }}
  - name: tls
    mountPath: /run/secrets/filelessd/tls
    readOnly: true
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "filelessd.volumes" -}}
- name: config
  configMap:
    name: {{ include "filelessd.fullname" . | quote }}
{{- if eq (include "filelessd.persistence" .) "hostPath" }}
- name: data
  hostPath:
    path: {{ .Values.persistence.hostPath | quote }}
    type: DirectoryOrCreate
{{- else if eq (include "filelessd.persistence" .) "emptyDir" }}
- name: data
  emptyDir:
    sizeLimit: {{ .Values.persistence.size | quote }}
{{- else if .Values.persistence.existingClaim }}
- name: data
  persistentVolumeClaim:
    claimName: {{ .Values.persistence.existingClaim | quote }}
{{- end }}
{{- if eq .Values.mode "daemonset" }}
- name: falco-socket
  hostPath:
    path: {{ .Values.daemonset.socketDir | quote }}
    type: DirectoryOrCreate
{{- end }}
{{- if .Values.tls.existingSecret }}
- name: tls
  secret:
    secretName: {{ .Values.tls.existingSecret | quote }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
