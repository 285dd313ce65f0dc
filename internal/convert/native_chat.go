package convert

import (
	"net"
	"net/url"
	"regexp"
	"strings"
)

func same(text string) string { return text }

func toSlack(s *section) (fields, string) {
	return append(fields{{key: "url", value: s.secret("webhookurl")}}, s.tls(secure(s.text("webhookurl")))...), ""
}

func toTeams(s *section) (fields, string) {
	f := append(fields{{key: "url", value: s.secret("webhookurl")}}, s.tls(secure(s.text("webhookurl")))...)
	if u, err := url.Parse(s.text("webhookurl")); err == nil && strings.HasSuffix(strings.ToLower(u.Hostname()), "webhook.office.com") {
		s.note(Converted, "webhookurl", "this is the URL of an Office 365 connector, which Microsoft has retired: make a workflow (\"Send webhook alerts to a channel\") and set the variable to its URL")
	}
	return f, ""
}

func toPagerDuty(s *section) (fields, string) {
	f := fields{{key: "routing_key", value: s.secret("routingkey")}}
	switch region := s.text("region"); strings.ToLower(region) {
	case "", "us":
	case "eu":
		f.add("url", "https://events.eu.pagerduty.com/v2/enqueue")
	default:
		s.note(Bad, "region", "want us or eu; it is taken for us, as Falcosidekick does")
	}
	s.idle("Falcosidekick does not ask for it here, and trusts the system's authorities, as filelessd does", "mutualtls", "checkcert")
	return f, ""
}

func toWebhook(s *section) (fields, string) {
	if method := s.text("method"); !strings.EqualFold(method, "POST") {
		return nil, "filelessd's webhook posts, and this output has another method"
	}
	// The address of a webhook is often all that keeps others from posting to it.
	f := fields{{key: "url", value: s.secret("address")}}
	if headers := s.headers("customheaders"); len(headers) > 0 {
		f.add("headers", headers)
	}
	return append(f, s.tls(secure(s.text("address")))...), ""
}

func toAlertmanager(s *section) (fields, string) {
	const path = "/api/v2/alerts"
	endpoint := strings.TrimSuffix("/"+strings.Trim(s.text("endpoint"), "/"), "/")
	if before, ok := strings.CutSuffix(endpoint, "/api/v1/alerts"); ok {
		endpoint = before + path
		s.note(Converted, "endpoint", "filelessd speaks version 2 of the API, which every Alertmanager since 0.16 has")
	}
	prefix, ok := strings.CutSuffix(endpoint, path)
	if !ok {
		return nil, "filelessd posts to " + path + ", and this output to another path"
	}
	var urls []any
	tls := false
	addresses := s.words("hostport")
	for _, address := range addresses {
		tls = tls || secure(address)
		whole := strings.TrimSuffix(address, "/") + prefix
		if open(whole) {
			urls = append(urls, whole)
			continue
		}
		variable, how := variableOf(s.key("hostport")), ""
		if len(addresses) > 1 || whole != address { // and so not what Falcosidekick's variable has
			variable, how = variable+"_URL", "that one of the addresses that has a user, as one URL with the path before "+path
		}
		urls = append(urls, s.variable(variable, "hostport", whole, how))
	}
	f := fields{{key: "urls", value: urls}}
	if headers := s.headers("customheaders"); len(headers) > 0 {
		f.add("headers", headers)
	}
	if labels := s.alertLabels(); len(labels) > 0 {
		f.add("labels", labels)
	}
	if s.given("expiresafter") {
		switch n := s.number("expiresafter"); {
		case n < 60 || n > 30*24*3600:
			s.note(Dropped, "expiresafter", "`lasts` is 1m to 720h, and stays 1h")
		default:
			f.add("lasts", duration(n*1000))
		}
	}
	return append(f, s.tls(tls)...), ""
}

// alertLabels are the extra labels and the custom fields. What Alertmanager or filelessd does not take as a label is
// left out.
func (s *section) alertLabels() fields {
	own := []string{"alertname", "severity", "verdict", "technique", "hostname", "namespace", "container", "about"}
	var labels fields
	for _, p := range s.pairs("extralabels") {
		ok := p.value != "" && labelName.MatchString(p.name)
		for _, o := range own {
			ok = ok && o != p.name
		}
		if !ok {
			s.noteAt(Note{Line: p.line, Key: s.key("extralabels") + "." + shown(p.name), Kind: Dropped, What: "filelessd sets this label itself, or it can be none"})
			continue
		}
		labels.add(p.name, p.value)
	}
	return s.withLabels(labels, own...)
}

// labelName is what every Alertmanager takes as the name of a label.
var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

func toSMTP(s *section) (fields, string) {
	mechanism := strings.ToLower(s.text("authmechanism"))
	user, password := s.text("user"), s.text("password")
	login := mechanism == "plain" && user != ""
	tls := s.boolean("tls")
	host, _, _ := net.SplitHostPort(s.text("hostport"))
	ip := net.ParseIP(host)
	switch {
	case mechanism != "plain" && mechanism != "none" && mechanism != "":
		return nil, "filelessd logs in with user and password only, and this output by another mechanism"
	case login && s.text("identity") != "":
		return nil, "filelessd logs in as the user, and this output under another identity"
	case login && password != "" && !tls && host != "localhost" && (ip == nil || !ip.IsLoopback()):
		return nil, "filelessd sends no password without TLS, and this output does"
	}
	f := fields{{key: "address", value: s.text("hostport")}}
	if tls {
		f.add("encryption", "starttls")
	} else {
		f.add("encryption", "none")
		s.note(Converted, "tls", "encryption: none; whoever is in between reads the mails")
	}
	if login && password != "" {
		f.add("username", user)
		f.add("password", s.secret("password"))
	} else {
		s.idle("there is no login without authmechanism plain, a user and a password", "authmechanism", "user", "password")
	}
	f.add("from", s.text("from"))
	var to []any
	for _, one := range s.words("to") {
		to = append(to, one)
	}
	f.add("to", to)
	return append(f, s.tls(tls)...), ""
}
