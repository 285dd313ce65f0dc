package convert

import (
	"net"
	"strconv"
)

// source makes the source that takes Falcosidekick's place.
func (c *conversion) source() fields {
	g := c.global
	port := g.text("listenport")
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		g.note(Bad, "listenport", "want a port, 1 to 65535")
		port = g.keys["listenport"].def
	}
	f := fields{{key: "type", value: "falco_http"}}
	tls, mutual := c.serverTLS()
	host := g.text("listenaddress")
	ip := net.ParseIP(host)
	switch {
	case host != "" && ip == nil:
		g.note(Bad, "listenaddress", "want an address of numbers; filelessd listens on 127.0.0.1")
		host = "127.0.0.1"
	case host == "" && mutual:
		host = "0.0.0.0"
	case host == "":
		host = "127.0.0.1"
		g.note(Converted, "listenaddress", "Falcosidekick listens on all addresses and asks nobody who posts; filelessd listens on 127.0.0.1. For a Falco on another machine or in another pod set `listen` and `token`, and have Falco post to http://falco:TOKEN@host:%s/", port)
	case !ip.IsLoopback() && !mutual:
		f.add("listen", net.JoinHostPort(host, port))
		f.add("token", c.refer(Variable{Name: "FALCO_HTTP_TOKEN", How: "a new secret, which Falco sends: http_output.url is http://falco:TOKEN@host:" + port + "/"}, "", "token"))
	}
	if len(f) == 1 {
		f.add("listen", net.JoinHostPort(host, port))
	}
	const comment = "Falco's http_output, at the address where Falcosidekick has it. While Falcosidekick runs on the same host, it has this port: " +
		"then listen on another, or use a source of type file or falco_grpc."
	return fields{{"falco", append(f, tls...), comment}}
}

// serverTLS makes the keys about the certificates of the listener, and reports whether clients must show one.
func (c *conversion) serverTLS() (made fields, mutual bool) {
	g := c.global
	server := c.section(tlsServer())
	g.used["tlsserver"] = true
	if server.n == nil || server.n.kind != mapping {
		if g.given("tlsserver") {
			g.note(Bad, "tlsserver", "want keys and values")
		}
		return nil, false
	}
	if !server.boolean("deploy") {
		if server.anything() {
			server.note(Off, "deploy", "TLS is not switched on, so its settings mean nothing")
		}
		return nil, false
	}
	f := fields{{key: "cert_file", value: server.text("certfile")}, {key: "key_file", value: server.text("keyfile")}}
	if mutual = server.boolean("mutualtls"); mutual {
		f.add("client_ca_file", server.text("cacertfile"))
	} else {
		server.idle("clients need no certificate without mutualtls", "cacertfile")
	}
	server.note(Converted, "deploy", "the `tls` of the source falco")
	server.leftovers()
	return fields{{key: "tls", value: f}}, mutual
}

// tlsServer are the keys of Falcosidekick's listener.
func tlsServer() output {
	const health = "health and metrics have a listener of their own: `http.listen`, 127.0.0.1:2804"
	return output{
		path: "tlsserver", name: "Falcosidekick's TLS server",
		keys: "deploy=false certfile=/etc/certs/server/server.crt keyfile=/etc/certs/server/server.key mutualtls=false " +
			"cacertfile=/etc/certs/server/ca.crt notlsport=2810 notlspaths[]",
		left: map[string]string{"notlsport": health, "notlspaths": health},
	}
}

// clientTLS are the keys of the certificates that all outputs share.
func clientTLS(path string) output {
	return output{path: path, keys: "certfile keyfile cacertfile"}
}
