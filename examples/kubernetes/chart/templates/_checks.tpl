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
{{- $name := include "filelessd.fullname" . }}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) }}
{{- fail (printf "%s is no name for a Service (letters, digits and -, a letter first): set fullnameOverride" $name) }}
{{- end }}
{{- with get .Values.config "data_dir" }}
{{- if ne (toString .) "/var/lib/filelessd" }}
{{- fail (printf "config.data_dir (%v): the volume for the log is mounted at /var/lib/filelessd, and nothing else can be written to" .) }}
{{- end }}
{{- end }}
{{- $http := get .Values.config "http" }}
{{- if kindIs "map" $http }}
{{- if hasKey $http "listen" }}
{{- if not (regexMatch "^(0\\.0\\.0\\.0|\\[::\\])?:2804$" (toString $http.listen)) }}
{{- fail (printf "config.http.listen (%v): the probes ask at port 2804 of the pod; leave it out" $http.listen) }}
{{- end }}
{{- end }}
{{- if get $http "tls" }}
{{- fail "config.http.tls: the probes and Prometheus ask without TLS; leave it out, and say by networkPolicy who may ask" }}
{{- end }}
{{- if and (get $http "token") .Values.metrics.serviceMonitor.enabled (not .Values.metrics.serviceMonitor.authorization) }}
{{- fail "config.http.token: Prometheus needs it too, in metrics.serviceMonitor.authorization" }}
{{- end }}
{{- end }}
{{- $sources := get .Values.config "sources" }}
{{- if and (eq .Values.mode "central") (kindIs "map" $sources) }}
{{- $posts := 0 }}
{{- $served := 0 }}
{{- range $sources }}
{{- if and (kindIs "map" .) (eq (toString (get . "type")) "falco_http") }}
{{- $posts = 1 }}
{{- if regexMatch "^(0\\.0\\.0\\.0|\\[::\\])?:2801$" (toString (get . "listen")) }}
{{- $served = 1 }}
{{- end }}
{{- end }}
{{- end }}
{{- if ne $posts $served }}
{{- fail "config.sources: the Service leads to port 2801 of the pod: let a source of the type falco_http listen on 0.0.0.0:2801" }}
{{- end }}
{{- end }}
{{- end }}
