package convert

// What is not kept of most outputs.
const (
	noText   = "the text of a message is filelessd's own"
	noLooks  = "how a message looks is filelessd's own"
	noLabels = "the labels of a report are few by intent; the alert's fields are in the report"
)

// chat are outputs that write to people in channels.
func chat() []output {
	return []output{
		{
			path: "slack", name: "Slack", needs: "webhookurl", kind: "slack", make: toSlack,
			keys: "webhookurl! channel footer=https://github.com/falcosecurity/falcosidekick username=Falcosidekick " +
				"icon=https://raw.githubusercontent.com/falcosecurity/falcosidekick/master/imgs/falcosidekick_color.png " +
				"outputformat=all messageformat" + httpKeys,
			changes: "the message is filelessd's own: verdict, score, where, and the first action",
			left: map[string]string{
				"channel": "an incoming webhook posts to the channel that it was made for; another one needs another webhook, or a bot's `token` and `channel`",
				"footer":  noLooks, "username": noLooks, "icon": noLooks, "outputformat": noText, "messageformat": noText,
			},
		}, {
			path: "teams", name: "Microsoft Teams", needs: "webhookurl", kind: "teams", make: toTeams,
			keys: "webhookurl! outputformat=all " +
				"activityimage=https://raw.githubusercontent.com/falcosecurity/falcosidekick/master/imgs/falcosidekick_color.png" + httpKeys,
			changes: "an Adaptive Card through a workflow of Power Automate, where Falcosidekick posts a MessageCard; the URL of an Office 365 connector does not work",
			left:    map[string]string{"activityimage": noLooks, "outputformat": noText},
		},
		{path: "rocketchat", name: "Rocket.Chat", needs: "webhookurl", keys: "webhookurl! footer icon username=Falcosidekick outputformat=all messageformat" + httpKeys},
		{path: "mattermost", name: "Mattermost", needs: "webhookurl", keys: "webhookurl! footer icon username=Falcosidekick outputformat=all messageformat" + httpKeys},
		{path: "discord", name: "Discord", needs: "webhookurl", keys: "webhookurl! icon" + httpKeys},
		{path: "googlechat", name: "Google Chat", needs: "webhookurl", keys: "webhookurl! outputformat=all messageformat" + httpKeys},
		{path: "cliq", name: "Zoho Cliq", needs: "webhookurl", keys: "webhookurl! icon outputformat=all useemoji=false messageformat" + httpKeys},
		{path: "webex", name: "Webex", needs: "webhookurl", keys: "webhookurl!" + httpKeys},
		{path: "telegram", name: "Telegram", needs: "chatid token", keys: "host=https://api.telegram.org token! chatid messagethreadid checkcert=true minimumpriority"},
	}
}

// alerting are outputs that call people.
func alerting() []output {
	return []output{
		{
			path: "alertmanager", name: "Alertmanager", needs: "hostport", kind: "alertmanager", make: toAlertmanager,
			unless: "another endpoint than that of the API",
			keys: "hostport[] endpoint=/api/v2/alerts expiresafter=0 extralabels{} extraannotations{} customseveritymap{} " +
				"dropeventdefaultpriority=critical dropeventthresholds customheaders{}!" + httpKeys,
			changes: "`alertname` is `FilelessExecution`, the labels are few, and `severity` is the report's: routes that match Falco's labels (`rule`, `priority`) need new ones; " +
				"one ends an hour after the latest report of it (`lasts`), where Falcosidekick's ends when Alertmanager's `resolve_timeout` or expiresafter says so",
			left: map[string]string{
				"extraannotations":         "the annotations are filelessd's own",
				"customseveritymap":        "the label `severity` is that of the report",
				"dropeventdefaultpriority": "alerts about dropped events are none of fileless execution; they stay with Falcosidekick",
				"dropeventthresholds":      "alerts about dropped events are none of fileless execution; they stay with Falcosidekick",
			},
		}, {
			path: "pagerduty", name: "PagerDuty", needs: "routingkey", kind: "pagerduty", make: toPagerDuty,
			keys:    "routingkey! region=us" + httpKeys,
			changes: "one incident for an attack, by `dedup_key`, where Falcosidekick opens one for each alert; its severity is the report's, where Falcosidekick's is always critical",
		}, {
			path: "smtp", name: "SMTP (mail)", needs: "hostport from to", kind: "smtp", make: toSMTP,
			unless:  "a login by another mechanism than PLAIN, or with a password and no TLS",
			keys:    "hostport tls=true from to outputformat=html minimumpriority authmechanism=plain user password! token! identity trace",
			changes: "text and HTML in one mail, and mails about one attack are a conversation",
			left:    map[string]string{"outputformat": "a mail has both, text and HTML"},
		}, {
			path: "webhook", name: "Webhook", needs: "address", kind: "webhook", make: toWebhook,
			unless:  "another method than POST",
			keys:    "address! method=POST customheaders{}!" + httpKeys,
			changes: "the body is filelessd's report as JSON, no alert of Falco: the receiver has to know that form (the alert is under `event`)",
		},
		{path: "opsgenie", name: "Opsgenie", needs: "apikey", keys: "region=us apikey!" + httpKeys},
		{path: "grafanaoncall", name: "Grafana OnCall", needs: "webhookurl", keys: "webhookurl! customheaders{}!" + httpKeys},
	}
}

// logs are outputs that keep and search.
func logs() []output {
	return []output{
		{
			path: "elasticsearch", name: "Elasticsearch, OpenSearch", needs: "hostport", kind: "elasticsearch", make: toElasticsearch,
			unless: "custom headers",
			keys: "hostport index=falco type=_doc pipeline suffix=daily username password! apikey! flattenfields=false " +
				"createindextemplate=false numberofshards=3 numberofreplicas=3 enablecompression=false batching{} customheaders{}!" + httpKeys,
			changes: "documents by the Elastic Common Schema in an index of their own, since those of Falcosidekick have other types under the same names; the user needs the right to write there, and to put an index template",
			left: map[string]string{
				"batching":            "it is not enabled",
				"pipeline":            "it was written for Falcosidekick's documents; set `pipeline` if it takes ECS",
				"flattenfields":       "documents follow ECS",
				"createindextemplate": "filelessd puts a template of its own; `template: false` keeps it from that",
				"numberofshards":      "filelessd's template leaves that to the cluster",
				"numberofreplicas":    "filelessd's template leaves that to the cluster",
				"enablecompression":   "requests are not compressed",
				"type":                "documents have no type since Elasticsearch 7",
			},
		}, {
			path: "loki", name: "Grafana Loki", needs: "hostport", kind: "loki", make: toLoki,
			unless: "custom headers but those of tenant and bearer token; another endpoint",
			keys:   "hostport user apikey! tenant format=text endpoint=/loki/api/v1/push extralabels customheaders{}!" + httpKeys,
			changes: "the labels are `job`, `kind`, `severity` and `verdict`, all else is structured metadata (Loki 3; `metadata: false` for older ones); " +
				"queries by `rule`, `priority` or `source` need new ones",
			left: map[string]string{"extralabels": noLabels},
		}, {
			path: "splunk", name: "Splunk (HEC)", needs: "host", kind: "splunk_hec", make: toSplunk,
			unless:  "custom headers; no token",
			keys:    "host token! customheaders{}!" + httpKeys,
			changes: "the source type is `filelessd:json`, where Falcosidekick's is `falcosidekick`; the token's input must have indexer acknowledgement off",
		}, {
			path: "syslog", name: "Syslog", needs: "host", kind: "syslog", make: toSyslog,
			keys:    "host port protocol=tcp format=json minimumpriority",
			changes: "RFC 5424 from `filelessd` with facility `local0`, where Falcosidekick sends the older form from `Falco` with facility `kern`: look at the receiver's filters",
		}, {
			path: "otlp.logs", name: "OTLP logs", needs: "endpoint", kind: "otlp_logs", make: toOTLP,
			unless:  "gRPC; another path; variables for the OpenTelemetry library",
			keys:    "endpoint protocol=http/protobuf timeout=10000 synced=false headers! extraenvvars{}! tls=false checkcert=true minimumpriority",
			changes: "records follow OpenTelemetry's conventions, with the report's severity",
			left:    map[string]string{"synced": "a report counts as delivered when the receiver has answered, always"},
		},
		{path: "quickwit", name: "Quickwit", needs: "hostport", keys: "hostport index=falco apiendpoint=api/v1 version=0.7 autocreateindex=false customheaders{}!" + httpKeys},
		{path: "openobserve", name: "OpenObserve", needs: "hostport", keys: "hostport organizationname=default streamname=falco username password! customheaders{}!" + httpKeys},
		{path: "zincsearch", name: "Zincsearch", needs: "hostport", keys: "hostport index=falco username password! checkcert=true minimumpriority"},
		{path: "logstash", name: "Logstash", needs: "address", keys: "address port=5044 tls=false mutualtls=false checkcert=false certfile keyfile cacertfile tags[] minimumpriority"},
		{path: "sumologic", name: "Sumo Logic", needs: "receiverurl", keys: "receiverurl! sourcecategory sourcehost name" + httpKeys},
		{path: "datadog", name: "Datadog events", needs: "apikey", keys: "apikey! host=https://api.datadoghq.com" + httpKeys},
		{path: "datadoglogs", name: "Datadog logs", needs: "apikey", keys: "apikey! host=https://http-intake.logs.datadoghq.com/ service" + httpKeys},
		{path: "dynatrace", name: "Dynatrace", needs: "apitoken apiurl", keys: "apitoken! apiurl checkcert=true minimumpriority"},
		{path: "spyderbat", name: "Spyderbat", needs: "orguid", keys: "orguid apikey! apiurl=https://api.spyderbat.com source=falcosidekick sourcedescription minimumpriority"},
		{path: "influxdb", name: "InfluxDB", needs: "hostport", keys: "hostport database=falco organization bucket=falco precision=ns user password! token!" + httpKeys},
		{path: "timescaledb", name: "TimescaleDB", needs: "host", keys: "host port=5432 user=postgres password!=postgres database=falcosidekick hypertablename=falcosidekick_events minimumpriority"},
		{path: "otlp.traces", name: "OTLP traces", needs: "endpoint", keys: "endpoint protocol=http/protobuf timeout=10000 headers! synced=false duration=1000 extraenvvars{}! tls=false checkcert=true minimumpriority"},
		{path: "grafana", name: "Grafana annotations", needs: "hostport apikey", keys: "hostport apikey! dashboardid=0 panelid=0 allfieldsastags=false customheaders{}!" + httpKeys},
		{path: "webui", name: "Falcosidekick UI", needs: "url", keys: "url mutualtls=false checkcert=true maxconcurrentrequests=1"},
	}
}

// streams are outputs that queue.
func streams() []output {
	return []output{
		{
			path: "nats", name: "NATS", needs: "hostport", kind: "nats", make: toNATS,
			keys: "hostport subjecttemplate=falco.<priority>.<rule>" + httpKeys,
			changes: "JetStream, where Falcosidekick publishes to core NATS: a stream has to take the subject, or nothing is delivered; " +
				"subscribers of core NATS get the messages too, in another form",
		}, {
			path: "kafka", name: "Kafka", needs: "hostport topic", kind: "kafka", make: toKafka,
			unless: "SASL PLAIN without TLS",
			keys:   "hostport topic minimumpriority sasl tls=false username password! balancer=round_robin clientid compression=NONE async=false requiredacks=NONE topiccreation=false",
			changes: "the topic is the same, so that its readers find reports among Falcosidekick's alerts; all replicas in sync have a report before it counts as delivered; " +
				"partitions go by attack; the topic must be there, and take messages of 10 to 40 KB",
			left: map[string]string{
				"balancer":      "partitions go by attack, so that its reports stay in order (`key`)",
				"clientid":      "the client has no name of its own",
				"async":         "a report counts as delivered when the brokers have answered, always",
				"requiredacks":  "all replicas in sync have to answer, always",
				"topiccreation": "filelessd makes no topic: make it before",
			},
		}, {
			path: "redis", name: "Redis", needs: "address", kind: "redis_stream", make: toRedis,
			keys: "address username password! database=0 storagetype=list key=falco version=0 checkcert=true tls=false mutualtls=false " +
				"certfile keyfile cacertfile minimumpriority",
			changes: "a stream (`XADD`), where Falcosidekick pushes to a list or sets fields of a hash: readers need `XREAD` and the new key",
		},
		{path: "stan", name: "NATS Streaming (STAN)", needs: "hostport clusterid clientid", keys: "hostport clusterid clientid subjecttemplate=falco.<priority>.<rule>" + httpKeys},
		{path: "kafkarest", name: "Kafka REST proxy", needs: "address", keys: "address version=2" + httpKeys},
		{path: "rabbitmq", name: "RabbitMQ", needs: "url queue", keys: "url! queue minimumpriority"},
		{path: "mqtt", name: "MQTT", needs: "broker", keys: "broker topic=falco/events qos=0 retained=false user password! checkcert=true minimumpriority"},
	}
}
