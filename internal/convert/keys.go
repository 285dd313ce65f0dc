package convert

import "strings"

// output is what Falcosidekick can send alerts to, or another part of its configuration.
type output struct {
	path  string // where its keys are, in lower case: slack, aws.s3
	name  string // as people call it
	needs string // keys that switch it on when all are set, with blanks between them
	keys  string // its keys, see parseKeys

	// kind is the kind of sink that it becomes; empty for one that stays with Falcosidekick.
	kind string
	// make makes the sink's keys. Its second result says why the sink can not do what the section asks for.
	make func(*section) (fields, string)
	// changes is what is not the same, for people, and unless is when it stays with Falcosidekick.
	changes, unless string
	// left says of keys why they are not taken over.
	left map[string]string

	// metrics marks what counts alerts instead of sending them.
	metrics bool
	// group marks keys that the outputs below the same path share.
	group bool
}

// key is one key of an output.
type key struct {
	name   string // in lower case
	def    string // what it is when it is not set
	secret bool
	shape  kind // scalar; mapping or list for keys that hold several values
}

// httpKeys are those of each output that speaks HTTP.
const httpKeys = " mutualtls=false checkcert=true maxconcurrentrequests=1 minimumpriority"

// parseKeys reads a list such as `webhookurl! outputformat=all customheaders{} hostport[]`: ! marks a secret, {}
// and [] what holds several values, and = begins the default.
func parseKeys(text string) []key {
	var keys []key
	for _, word := range strings.Fields(text) {
		k := key{shape: scalar}
		k.name, k.def, _ = strings.Cut(word, "=")
		k.name, k.secret = strings.CutSuffix(k.name, "!")
		if name, ok := strings.CutSuffix(k.name, "{}"); ok {
			k.name, k.shape = name, mapping
		}
		if name, ok := strings.CutSuffix(k.name, "[]"); ok {
			k.name, k.shape = name, list
		}
		keys = append(keys, k)
	}
	return keys
}

// variableOf is the environment variable by which Falcosidekick takes a key.
func variableOf(path string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, path)
	return name
}

// outputs returns all parts of a configuration, in the order in which people know them.
func outputs() []output {
	var all []output
	for _, family := range [][]output{chat(), alerting(), logs(), streams(), objects(), cloud(), functions(), others(), counters()} {
		all = append(all, family...)
	}
	return all
}

// global are the keys that stand outside of outputs.
func global() output {
	return output{
		path: "", name: "Falcosidekick",
		keys: "listenaddress listenport=2801 debug=false customfields{} templatedfields{} customtags[] bracketreplacer " +
			"outputfieldformat mutualtlsfilespath=/etc/certs mutualtlsclient{} tlsclient{} tlsserver{}",
		left: map[string]string{
			"debug":             "filelessd never logs what it sends; `log: {level: debug}` makes its own log talk more",
			"templatedfields":   "reports have no fields that are made from others",
			"customtags":        "reports have no tags of their own; those of the rule stay",
			"bracketreplacer":   "reports keep the names of Falco's fields",
			"outputfieldformat": "reports keep Falco's output as it came",
		},
	}
}
