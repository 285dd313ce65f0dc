package convert

const objectChanges = "three objects a report (report.md, .html, .json) in a folder of its own; the user needs s3:PutObject below the prefix"

// objects are outputs that store objects, with the keys that they share with others of the same cloud.
func objects() []output {
	return []output{
		{
			path: "aws", name: "AWS", group: true,
			keys: "accesskeyid! secretaccesskey! region rolearn externalid checkidentity=true",
			left: map[string]string{"checkidentity": "filelessd asks nobody who it is"},
		}, {
			path: "aws.s3", name: "AWS S3", needs: "bucket", kind: "s3", make: toS3,
			unless:  "no fixed key in `aws`, a role, or no region",
			keys:    "bucket prefix=falco endpoint objectcannedacl=bucket-owner-full-control minimumpriority",
			changes: objectChanges + "; objects get no ACL, where Falcosidekick sets bucket-owner-full-control: a bucket without ACLs, which is Amazon's default, needs none, but a policy may ask for it",
			left:    map[string]string{"objectcannedacl": "objects get no ACL"},
		}, {
			path: "yandex", name: "Yandex Cloud", group: true, keys: "accesskeyid! secretaccesskey! region=ru-central1",
		}, {
			path: "yandex.s3", name: "Yandex Object Storage", needs: "bucket", kind: "s3", make: toYandexS3,
			unless: "no fixed key in `yandex`",
			keys:   "endpoint=https://storage.yandexcloud.net bucket prefix=falco minimumpriority", changes: objectChanges,
		},
		{path: "gcp", name: "Google Cloud", group: true, keys: "credentials! workloadidentity=false"},
		{path: "gcp.storage", name: "GCP Cloud Storage", needs: "bucket", keys: "bucket prefix minimumpriority"},
	}
}

// cloud are services of clouds.
func cloud() []output {
	return []output{
		{path: "aws.lambda", name: "AWS Lambda", needs: "functionname", keys: "functionname invocationtype=RequestResponse logtype=Tail minimumpriority"},
		{path: "aws.sqs", name: "AWS SQS", needs: "url", keys: "url minimumpriority"},
		{path: "aws.sns", name: "AWS SNS", needs: "topicarn", keys: "topicarn rawjson=false minimumpriority"},
		{path: "aws.cloudwatchlogs", name: "AWS CloudWatch Logs", needs: "loggroup", keys: "loggroup logstream minimumpriority"},
		{path: "aws.kinesis", name: "AWS Kinesis", needs: "streamname", keys: "streamname minimumpriority"},
		{path: "aws.securitylake", name: "AWS Security Lake", needs: "bucket region accountid prefix", keys: "bucket region prefix accountid interval=5 batchsize=1000 minimumpriority"},
		{path: "azure", name: "Azure", group: true},
		{path: "azure.eventhub", name: "Azure Event Hubs", needs: "name", keys: "namespace name minimumpriority"},
		{path: "gcp.pubsub", name: "GCP Pub/Sub", needs: "projectid topic", keys: "projectid topic customattributes{} minimumpriority"},
		{path: "gcp.cloudfunctions", name: "GCP Cloud Functions", needs: "name", keys: "name minimumpriority"},
		{path: "gcp.cloudrun", name: "GCP Cloud Run", needs: "endpoint jwt", keys: "endpoint jwt! minimumpriority"},
		{path: "gcp.chronicle", name: "Google Chronicle", needs: "projectid instanceid region", keys: "projectid instanceid region logtype=FALCO_IDS minimumpriority"},
		{path: "yandex.datastreams", name: "Yandex Data Streams", needs: "streamname", keys: "endpoint=https://yds.serverless.yandexcloud.net streamname minimumpriority"},
	}
}

// functions are outputs that run something.
func functions() []output {
	return []output{
		{path: "talon", name: "Falco Talon", needs: "address", keys: "address checkcert=true minimumpriority"},
		{path: "cloudevents", name: "CloudEvents", needs: "address", keys: "address extensions{}" + httpKeys},
		{path: "kubeless", name: "Kubeless", needs: "namespace function", keys: "namespace function port=8080 kubeconfig" + httpKeys},
		{path: "openfaas", name: "OpenFaaS", needs: "functionname", keys: "gatewaynamespace=openfaas gatewayservice=gateway functionname functionnamespace=openfaas-fn gatewayport=8080 kubeconfig" + httpKeys},
		{path: "fission", name: "Fission", needs: "function", keys: "routernamespace=fission routerservice=router routerport=80 functionnamespace=fission-function function kubeconfig" + httpKeys},
		{path: "tekton", name: "Tekton", needs: "eventlistener", keys: "eventlistener" + httpKeys},
		{path: "nodered", name: "Node-RED", needs: "address", keys: "address user password! customheaders{}!" + httpKeys},
		{path: "n8n", name: "n8n", needs: "address", keys: "address user password! headerauthname headerauthvalue! checkcert=true minimumpriority"},
	}
}

// others are what is left.
func others() []output {
	return []output{
		{path: "policyreport", name: "Kubernetes policy reports", needs: "enabled", keys: "enabled=false kubeconfig=~/.kube/config minimumpriority maxevents=1000 falconamespace prunebypriority=false"},
		{path: "gotify", name: "Gotify", needs: "hostport", keys: "hostport token! format=markdown checkcert=true minimumpriority"},
		{path: "wavefront", name: "Wavefront", needs: "endpointtype endpointhost", keys: "endpointtype endpointhost endpointtoken! metricname=falco.alert endpointmetricport=2878 flushintervalseconds=1 batchsize=10000 minimumpriority"},
		{path: "otlp", name: "OTLP", group: true},
	}
}

// counters are what counts alerts.
func counters() []output {
	return []output{
		{path: "prometheus", name: "Prometheus metrics", needs: "extralabels", metrics: true, keys: "extralabels"},
		{path: "statsd", name: "StatsD", needs: "forwarder", metrics: true, keys: "forwarder namespace=falcosidekick. tags[]"},
		{path: "dogstatsd", name: "DogStatsD", needs: "forwarder", metrics: true, keys: "forwarder namespace=falcosidekick. tags[]"},
		{path: "otlp.metrics", name: "OTLP metrics", needs: "endpoint", metrics: true, keys: "endpoint protocol=http/protobuf timeout=10000 headers! extraenvvars{}! tls=false checkcert=true minimumpriority extraattributes"},
	}
}
