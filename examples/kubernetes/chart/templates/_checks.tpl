{{/* What the schema can not say: values that mean nothing together. */}}
{{- define "filelessd.checks" -}}
{{- if and (eq .Values.mode "central") (not (get .Values.config "sources")) (not .Values.existingSecrets) (not (hasKey .Values.secrets "FALCO_TOKEN")) }}
{{- fail "central takes alerts from the network and needs a token: name a Secret with the key FALCO_TOKEN in existingSecrets, or set secrets.FALCO_TOKEN for a first try" }}
{{- end }}
{{- if and (eq .Values.mode "daemonset") (eq (include "filelessd.persistence" .) "pvc") }}
{{- fail "persistence.type pvc is one disk, and a daemonset has many pods: use hostPath or emptyDir" }}
{{- end }}
{{- if and .Values.podDisruptionBudget.enabled (ne .Values.mode "central") }}
{{- fail "podDisruptionBudget is for mode central: a drain leaves the pods of a DaemonSet alone" }}
{{- end }}
{{- if and .Values.networkPolicy.enabled (eq .Values.mode "sidecar") }}
{{- fail "networkPolicy is for the modes central and daemonset: a policy is about pods, and the sidecar is in Falco's" }}
{{- end }}
{{- if and .Values.tls.existingSecret (ne .Values.mode "central") }}
{{- fail "tls is for mode central: no other listens for Falco on the network" }}
{{- end }}
{{- if and .Values.metrics.serviceMonitor.enabled (not .Values.metrics.service.enabled) }}
{{- fail "metrics.serviceMonitor needs metrics.service" }}
{{- end }}
{{- $drain := include "filelessd.seconds" (dig "drain_timeout" "10s" .Values.config) | int }}
{{- $sleep := include "filelessd.preStopSleepSeconds" . | int }}
{{- if and (ne $drain -1) (le (int .Values.terminationGracePeriodSeconds) (add $drain $sleep)) }}
{{- fail (printf "terminationGracePeriodSeconds (%d) must exceed preStopSleepSeconds (%d) and drain_timeout (%ds) together, or the drain is cut short" (int .Values.terminationGracePeriodSeconds) $sleep $drain) }}
{{- end }}
{{- end }}
