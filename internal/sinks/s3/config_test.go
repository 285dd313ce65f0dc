package s3

import (
	"testing"

	"github.com/filelessd/filelessd/internal/sinks/internal/fixture"
)

func TestConfig(t *testing.T) {
	const keys = "access_key_id: AKIA\nsecret_access_key: SECRET\n"
	const base = keys + "url: https://s3.example\nbucket: reports\n"
	fixture.Config(t, Kind, []fixture.ConfigCase{
		{YAML: base},
		{YAML: base + "prefix: a/b\nregion: eu-central-1\naddressing: virtual\nformats: [json, ocsf]\nsession_token: SECRET\nencryption: aws:kms\nkms_key_id: arn:x\ntls: {ca_file: /ca}"},
		{YAML: keys, Want: "bucket: want 3 to 63 small letters, digits, dots and -\nurl: missing"},
		{YAML: base + "prefix: 'a b'", Want: "prefix: want letters, digits, dots, _, - and /"},
		{YAML: base + "prefix: a/../b", Want: "prefix: a part of it is empty or of dots only"},
		{YAML: base + "region: 'EU/1'", Want: "region: want small letters, digits and -"},
		{YAML: base + "addressing: host", Want: `addressing: want path or virtual, got "host"`},
		{YAML: base + "formats: []", Want: "formats: missing"},
		{YAML: base + "formats: [pdf]", Want: `formats: unknown format "pdf"; known are cef, ecs, html, json, markdown, ocsf, text`},
		{YAML: base + "formats: [json, json]", Want: "formats: json is there twice"},
		{YAML: "url: https://s3.example\nbucket: reports", Want: "access_key_id: missing, or secret_access_key"},
		{YAML: "url: https://s3.example\nbucket: reports\naccess_key_id: a/b\nsecret_access_key: SECRET", Want: "access_key_id: has characters that no key has"},
		{YAML: base + "session_token: \"SECRET\\n\"", Want: "session_token: has blanks or control characters"},
		{YAML: base + "encryption: DES", Want: `encryption: want AES256 or aws:kms, got "DES"`},
		{YAML: base + "kms_key_id: x", Want: "kms_key_id: goes with encryption: aws:kms"},
		{YAML: keys + "bucket: reports\nurl: https://u:SECRET@s3.example", Want: "url: the credentials are access_key_id and secret_access_key"},
		{YAML: keys + "bucket: reports\nurl: http://127.0.0.1\naddressing: virtual", Want: "addressing: an address of numbers has no virtual hosts"},
		{YAML: base + "tls: {key_file: /k}", Want: "tls: cert_file and key_file go together"},
	}, "endpoint: x", base+"acl: public-read")
}
