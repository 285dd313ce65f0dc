package elasticsearch

import (
	"testing"

	"github.com/filelessd/filelessd/internal/sinks/internal/fixture"
)

func TestConfig(t *testing.T) {
	const url = "url: https://es.example:9200\n"
	fixture.Config(t, Kind, []fixture.ConfigCase{
		{YAML: url},
		{YAML: url + "index: 'f-{day}'\nop: index\npipeline: p\ntemplate: false\nusername: u\npassword: SECRET\ntls: {ca_file: /ca}"},
		{YAML: url + "index: logs-filelessd-default\ndata_stream: true\napi_key: U0VDUkVU"},
		{YAML: "op: create", Want: "url: missing"},
		{YAML: "url: es.example/SECRET", Want: "url: want a URL that begins with http:// or https://"},
		{YAML: "url: https://es.example/?x=SECRET", Want: "url: want the address of the server, without a query"},
		{YAML: url + "op: update", Want: `op: want create or index, got "update"`},
		{YAML: url + "index: ''", Want: "index: missing"},
		{YAML: url + "index: Reports", Want: "index: has capitals"},
		{YAML: url + "index: 'a b'", Want: `index: has one of \ / * ? " < > | , # : or a blank`},
		{YAML: url + "index: _x", Want: "index: begins with a dot or with one of - _ +"},
		{YAML: url + "index: 'x-{week}'", Want: "index: the placeholders are {day}, {month} and {year}"},
		{YAML: url + "data_stream: true", Want: "index: a data stream has one name, without a date"},
		{YAML: url + "data_stream: true\nindex: x\nop: index", Want: "op: a data stream takes create only"},
		{YAML: url + "pipeline: 'a b'", Want: "pipeline: has blanks or control characters"},
		{YAML: url + "username: u", Want: "username: goes with password"},
		{YAML: url + "username: 'u:v'\npassword: SECRET", Want: "username: can have no colon"},
		{YAML: url + "api_key: SECRET\nusername: u\npassword: SECRET", Want: "api_key: excludes username and password"},
		{YAML: url + "api_key: \"SECRET\\n\"", Want: "api_key: has control characters"},
		{YAML: url + "tls: {cert_file: /c}", Want: "tls: cert_file and key_file go together"},
	}, "addresses: [x]", url+"tls: {insecure: true}")
}
