package convert

import (
	"net"
	"net/url"
	"strconv"
	"strings"
)

func toNATS(s *section) (fields, string) {
	f := fields{{key: "url", value: s.address("hostport", same)}}
	template := s.text("subjecttemplate")
	subject := strings.NewReplacer("<priority>", "{severity}", "<rule>", "{technique}").Replace(template)
	f.add("subject", subject)
	what := "subject: <priority> is the report's {severity} and <rule> its {technique}"
	if subject == template {
		what = "subject: that of Falcosidekick, so that readers find reports among its alerts"
	}
	s.note(Converted, "subjecttemplate", "%s. Make a stream that takes it: nats stream add FILELESSD --subjects '%s' --storage file --dupe-window 72h --defaults. "+
		"As long as Falcosidekick publishes there, the stream takes all its alerts too; another `subject` keeps them apart",
		what, shown(streamSubject(subject)))
	return append(f, s.tls(strings.HasPrefix(s.text("hostport"), "tls://"))...), ""
}

// streamSubject is the pattern of the subjects that subject gives.
func streamSubject(subject string) string {
	fixed, _, found := strings.Cut(subject, "{")
	if i := strings.LastIndexByte(fixed, '.'); found && i > 0 {
		return fixed[:i] + ".>"
	}
	if found {
		return ">"
	}
	return subject
}

func toKafka(s *section) (fields, string) {
	mechanism := strings.ToUpper(s.text("sasl"))
	tls := s.boolean("tls")
	if mechanism == "PLAIN" && !tls {
		return nil, "filelessd sends no password without TLS, and this output does"
	}
	var brokers []any
	for _, b := range s.words("hostport") {
		if _, _, err := net.SplitHostPort(b); err != nil {
			b = net.JoinHostPort(strings.Trim(b, "[]"), "9092")
		}
		brokers = append(brokers, b)
	}
	f := fields{{key: "brokers", value: brokers}, {key: "topic", value: s.text("topic")}}
	switch c := strings.ToLower(s.text("compression")); c {
	case "", "none":
		f.add("compression", "none")
	default:
		f.add("compression", c)
	}
	if !tls {
		f.add("encryption", "none")
	}
	if mechanism != "" {
		names := map[string]string{"PLAIN": "plain", "SCRAM_SHA256": "scram-sha-256", "SCRAM_SHA512": "scram-sha-512"}
		name, known := names[mechanism]
		if !known {
			s.note(Bad, "sasl", "want PLAIN, SCRAM_SHA256 or SCRAM_SHA512")
			return nil, "this output logs in by a mechanism that is none; the note of kind bad says where"
		}
		f.add("sasl", fields{{key: "mechanism", value: name}, {key: "username", value: s.text("username")}, {key: "password", value: s.secret("password")}})
	} else {
		s.idle("there is no login without sasl", "username", "password")
	}
	return f, ""
}

func toRedis(s *section) (fields, string) {
	tls, mutual := s.boolean("tls"), s.boolean("mutualtls")
	u := url.URL{Scheme: "redis", Host: s.text("address")}
	if tls || mutual {
		u.Scheme = "rediss"
	}
	database, err := strconv.Atoi(s.text("database"))
	if err != nil || database < 0 {
		s.note(Bad, "database", "want a number")
		database = 0
	}
	u.Path = "/" + strconv.Itoa(database)
	whole := u.String()
	if password := s.text("password"); password != "" {
		escaped := url.UserPassword("", password).String()[1:]
		variable, how := variableOf(s.key("password")), ""
		if escaped != password {
			variable, how = variable+"_ESCAPED", "the value of this key, escaped for a URL: %2F for /, %40 for @, %3A for :, %25 for %"
		}
		secret := s.variable(variable, "password", escaped, how)
		before := u.Scheme + "://" + url.User(s.text("username")).String() + ":"
		f := fields{{key: "url", value: reference(strings.ReplaceAll(before, "$", "$$") + string(secret) + "@" + strings.ReplaceAll(u.Host+u.Path, "$", "$$"))}}
		return s.redisKeys(f, tls, mutual), ""
	}
	if s.given("username") {
		s.note(Dropped, "username", "a user without a password")
	}
	return s.redisKeys(fields{{key: "url", value: whole}}, tls, mutual), ""
}

func (s *section) redisKeys(f fields, tls, mutual bool) fields {
	stream := "filelessd:reports"
	if s.given("key") {
		stream = s.text("key") + ":reports"
	}
	f.add("stream", stream)
	s.used["storagetype"], s.used["key"] = true, true
	s.note(Converted, "storagetype", "a stream under the key `stream`, which has to be another than that of the list or hash. Readers that can not change: convert again with --through redis")
	own := func(name, file string) string {
		if text := s.text(name); text != "" {
			return text
		}
		return s.certificate(name, file)
	}
	switch {
	case mutual:
		s.note(Converted, "mutualtls", "the `tls` of the sink. %s", instead)
		f.add("tls", fields{
			{key: "ca_file", value: own("cacertfile", "ca.crt")},
			{key: "cert_file", value: own("certfile", "client.crt")},
			{key: "key_file", value: own("keyfile", "client.key")},
		})
		return f
	case tls && !s.boolean("checkcert"):
		s.note(Dropped, "checkcert", "%s", alwaysChecked)
	}
	s.idle("the connection is one without TLS", "checkcert", "certfile", "keyfile", "cacertfile")
	return f
}

func toS3(s *section) (fields, string) {
	aws := s.section(s.outputAt("aws"))
	switch {
	case aws.given("rolearn"):
		return nil, "filelessd's s3 assumes no role (aws.rolearn)"
	case aws.text("accesskeyid") == "" || aws.text("secretaccesskey") == "":
		return nil, "filelessd's s3 knows fixed keys only (aws.accesskeyid, aws.secretaccesskey), not those of an instance or pod"
	case aws.text("region") == "" && s.text("endpoint") == "":
		return nil, "filelessd's s3 has to be told the region (aws.region)"
	}
	domain := ".amazonaws.com"
	if strings.HasPrefix(aws.text("region"), "cn-") {
		domain += ".cn"
	}
	endpoint := any("https://s3." + aws.text("region") + domain)
	if s.text("endpoint") != "" {
		endpoint = s.address("endpoint", same)
		s.note(Converted, "endpoint", "the bucket is in the path of the URL, where Falcosidekick has it before the host; for storage that takes it there only, `addressing: virtual`")
	}
	return s.bucket(aws, endpoint), ""
}

func toYandexS3(s *section) (fields, string) {
	yandex := s.section(s.outputAt("yandex"))
	if yandex.text("accesskeyid") == "" || yandex.text("secretaccesskey") == "" {
		return nil, "filelessd's s3 needs yandex.accesskeyid and yandex.secretaccesskey"
	}
	return s.bucket(yandex, s.address("endpoint", same)), ""
}

// bucket makes the keys of an s3 sink, with the credentials of account.
func (s *section) bucket(account *section, endpoint any) fields {
	f := fields{{key: "url", value: endpoint}, {key: "bucket", value: s.text("bucket")}}
	prefix := strings.Trim(s.text("prefix"), "/")
	if prefix != "" {
		prefix += "/"
	}
	f.add("prefix", prefix+"filelessd")
	if s.given("prefix") {
		s.note(Converted, "prefix", "with /filelessd behind it, so that Falcosidekick's objects and the reports are apart")
	}
	f.addSet("region", account.text("region"))
	f.add("access_key_id", account.secret("accesskeyid"))
	f.add("secret_access_key", account.secret("secretaccesskey"))
	return f
}

// outputAt returns the table's row for a path.
func (c *conversion) outputAt(path string) output {
	for _, o := range outputs() {
		if o.path == path {
			return o
		}
	}
	return output{path: path}
}
