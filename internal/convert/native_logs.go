package convert

import (
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// duration writes milliseconds as a configuration has them.
func duration(milliseconds int) string {
	text := (time.Duration(milliseconds) * time.Millisecond).String()
	if short, ok := strings.CutSuffix(text, "m0s"); ok {
		text = short + "m"
	}
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		text = short + "h"
	}
	return text
}

// batching are the keys of Elasticsearch's batches.
func batching() output {
	return output{path: "elasticsearch.batching", keys: "enabled=false batchsize=5242880 flushinterval=1s"}
}

func toElasticsearch(s *section) (fields, string) {
	if len(s.pairs("customheaders")) > 0 {
		return nil, "filelessd's sink for Elasticsearch adds no headers"
	}
	f := fields{{key: "url", value: s.address("hostport", same)}}
	period := map[string]string{"none": "", "monthly": "-{month}", "annually": "-{year}"}
	suffix, known := period[s.text("suffix")]
	if !known {
		suffix = "-{day}"
	}
	index := s.text("index")
	name := "filelessd-reports"
	if index != s.keys["index"].def {
		name = "filelessd-" + index
	}
	f.add("index", name+suffix)
	if s.given("index") {
		s.note(Converted, "index", "the index is another, with this name behind `filelessd-`: documents of both kinds do not go into one")
	}
	// Of both, Falcosidekick sends user and password.
	user, password, apiKey := s.text("username"), s.text("password"), s.text("apikey")
	switch {
	case user != "" && password != "":
		f.add("username", user)
		f.add("password", s.secret("password"))
		s.idle("with a user and a password Falcosidekick does not send it", "apikey")
	case apiKey != "":
		f.add("api_key", s.secret("apikey"))
		fallthrough
	default:
		s.idle("a user and a password go together; Falcosidekick sends neither without the other", "username", "password")
	}
	if v := s.value("batching"); v != nil && v.kind == mapping {
		if s.section(batching()).boolean("enabled") {
			f.add("batch", fields{{key: "max", value: 100}, {key: "wait", value: "1s"}})
			s.used["batching"] = true
			s.note(Converted, "batching", "batch: 100 reports or 1s; filelessd counts reports, not bytes")
		}
	}
	return append(f, s.tls(secure(s.text("hostport")))...), ""
}

func toLoki(s *section) (fields, string) {
	const path = "/loki/api/v1/push"
	prefix, ok := strings.CutSuffix(strings.TrimSuffix(s.text("endpoint"), "/"), path)
	if !ok {
		return nil, "filelessd pushes to " + path + ", and this output to another path"
	}
	f := fields{{key: "url", value: s.address("hostport", func(u string) string { return strings.TrimSuffix(u, "/") + prefix })}}
	tenant, token := s.text("tenant"), reference("")
	for _, p := range s.pairs("customheaders") {
		bearer, isBearer := strings.CutPrefix(p.value, "Bearer ")
		switch {
		case strings.EqualFold(p.name, "X-Scope-OrgID"):
			tenant = p.value // which is set after the tenant's own
		case strings.EqualFold(p.name, "Authorization") && isBearer:
			v := Variable{Name: variableOf(s.key("customheaders") + ".token"), Key: s.key("customheaders") + ".Authorization", Line: p.line, How: "the value of this header without `Bearer `"}
			token = s.refer(v, "", bearer)
		default:
			return nil, "filelessd's sink for Loki adds no headers but those of tenant and token"
		}
	}
	f.addSet("tenant", tenant)
	if labels := s.withLabels(fields{{key: "job", value: "filelessd"}}, "kind", "severity", "verdict"); len(labels) > 1 {
		f.add("labels", labels)
	}
	if s.text("format") == "json" {
		f.add("format", "json")
	}
	switch user, apiKey := s.text("user"), s.text("apikey"); {
	case token != "":
		f.add("token", token)
		s.idle("the header customheaders.Authorization takes its place", "user", "apikey")
	case user != "" && apiKey != "":
		f.add("username", user)
		f.add("password", s.secret("apikey"))
	default:
		s.idle("a user and a key go together; Falcosidekick sends neither without the other", "user", "apikey")
	}
	return append(f, s.tls(secure(s.text("hostport")))...), ""
}

func toSplunk(s *section) (fields, string) {
	switch {
	case len(s.pairs("customheaders")) > 0:
		return nil, "filelessd's sink for Splunk adds no headers"
	case s.text("token") == "":
		return nil, "filelessd's sink for Splunk needs the collector's token"
	}
	f := fields{{key: "url", value: s.address("host", same)}, {key: "token", value: s.secret("token")}}
	return append(f, s.tls(secure(s.text("host")))...), ""
}

func toSyslog(s *section) (fields, string) {
	network := strings.ToLower(s.text("protocol"))
	if network != "tcp" && network != "udp" {
		s.note(Bad, "protocol", "want tcp or udp")
		return nil, "this output has a protocol that is none; the note of kind bad says where"
	}
	f := fields{{key: "network", value: network}}
	f.add("address", net.JoinHostPort(strings.Trim(s.text("host"), "[]"), s.text("port")))
	if network == "tcp" {
		f.add("framing", "newline") // which is how Falcosidekick's messages end
	}
	if s.text("format") == "cef" {
		f.add("format", "cef")
	}
	return f, ""
}

// unescaped is a text of a list as the OpenTelemetry library reads it: with the %20 of a URL for a blank.
func unescaped(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return strings.TrimSpace(plain)
	}
	return text
}

func toOTLP(s *section) (fields, string) {
	switch {
	case strings.EqualFold(s.text("protocol"), "grpc"):
		return nil, "filelessd speaks OTLP over HTTP, and this output over gRPC"
	case len(s.pairs("extraenvvars")) > 0:
		return nil, "what these variables tell the OpenTelemetry library filelessd can not know"
	}
	const path = "/v1/logs"
	if u, err := url.Parse(strings.TrimSpace(s.text("endpoint"))); err == nil && strings.Trim(u.Path, "/") != "" && !strings.HasSuffix(strings.TrimSuffix(u.Path, "/"), path) {
		return nil, "filelessd sends to " + path + ", and this output to another path"
	}
	f := fields{{key: "url", value: s.address("endpoint", func(u string) string {
		return strings.TrimSuffix(strings.TrimSuffix(strings.TrimSpace(u), "/"), path)
	})}}
	if v := s.value("headers"); v != nil && v.kind == scalar {
		s.used["headers"] = true
		var headers fields
		for _, p := range s.split("headers", v, "=") {
			p.name = unescaped(p.name)
			taken := false
			for _, h := range headers {
				taken = taken || strings.EqualFold(h.key, p.name)
			}
			if !taken {
				headers.add(p.name, s.headerValue("headers", p, unescaped))
			}
		}
		if len(headers) > 0 {
			f.add("headers", headers)
		}
	}
	var resource fields
	if resource = s.withLabels(resource); len(resource) > 0 {
		f.add("resource", resource)
	}
	if s.given("timeout") {
		if n, err := strconv.Atoi(s.text("timeout")); err == nil && n > 0 && n < 1000*3600 {
			f.add("timeout", duration(n))
		} else {
			s.note(Bad, "timeout", "want a number of milliseconds")
		}
	}
	s.idle("filelessd sends protobuf over HTTP", "protocol")
	s.idle("the scheme of the endpoint says whether there is TLS", "tls")
	return append(f, s.tls(secure(strings.TrimSpace(s.text("endpoint"))))...), ""
}
