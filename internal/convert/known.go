package convert

import (
	"slices"
	"strings"
)

// ofChart are keys that Falcosidekick's Helm chart has in the same place and that are not Falcosidekick's.
func ofChart() map[string]string {
	return map[string]string{ //nolint:gosec // names of keys and words about them, no credentials
		"existingsecret":                     "a key of the Helm chart: what that Secret switches on was not seen. Give its values with --env. The rest (--rest) does without it, or it would switch on the other outputs too",
		"extraenv":                           "a key of the Helm chart: what it switches on was not seen. Give its values with --env. The rest (--rest) does without it, or it would switch on the other outputs too",
		"extraargs":                          "a key of the Helm chart, about the process",
		"tlsserver.existingsecret":           "a key of the Helm chart: mount that Secret, and look at the `tls` of the source",
		"tlsserver.servercrt":                "a key of the Helm chart: the certificate has to be a file",
		"tlsserver.serverkey":                "a key of the Helm chart: the key has to be a file",
		"tlsserver.cacrt":                    "a key of the Helm chart: the authority has to be a file",
		"aws.useirsa":                        "a key of the Helm chart, about the pod's role",
		"loki.grafanadashboard":              "", // nothing that anybody has to know
		"alertmanager.expireafter":           "the Helm chart's name for expiresafter: `lasts` of the sink, 1m to 720h",
		"cloudevents.extension":              "the Helm chart's name for extensions",
		"azure.subscriptionid":               "a key of the Helm chart, about the pod's identity",
		"azure.resourcegroupname":            "a key of the Helm chart, about the pod's identity",
		"azure.podidentityclientid":          "a key of the Helm chart, about the pod's identity",
		"azure.podidentityname":              "a key of the Helm chart, about the pod's identity",
		"azure.workloadidentityclientid":     "a key of the Helm chart, about the pod's identity",
		"gcp.workloadidentityserviceaccount": "a key of the Helm chart, about the pod's identity",
	}
}

// helm finds Falcosidekick's configuration in the values of a Helm release: those of Falco's chart have it
// below falcosidekick.config, those of Falcosidekick's own below config.
func (c *conversion) helm(root *node) *node {
	for _, path := range [][]string{{"falcosidekick", "config"}, {"config"}} {
		at := root
		for _, part := range path {
			at = at.get(part)
		}
		if at != nil && at.kind == mapping {
			c.noteAt(Note{Kind: General, What: "these are values of Helm; what stands below " + strings.Join(path, ".") + " was read"})
			c.ofHelm = true
			return at
		}
	}
	return root
}

// unknown names the keys that nobody knows.
func (c *conversion) unknown() {
	known := map[string]shape{}
	for _, o := range append(outputs(), global(), tlsServer(), batching(), clientTLS("mutualtlsclient"), clientTLS("tlsclient")) {
		parts := strings.Split(o.path, ".")
		for i := range parts {
			if path := strings.Join(parts[:i+1], "."); path != "" {
				known[path] = inside
			}
		}
		for _, k := range parseKeys(o.keys) {
			path := strings.TrimPrefix(o.path+"."+k.name, ".")
			if known[path] != inside {
				known[path] = free
			}
		}
	}
	known["tlsserver"], known["mutualtlsclient"], known["tlsclient"] = inside, inside, inside
	c.walk(c.root, "", known)
}

// shape says whether the keys below one are looked at.
type shape int

const (
	free   shape = iota + 1 // a key of which all below is the user's own
	inside                  // a section
)

func (c *conversion) walk(n *node, above string, known map[string]shape) {
	if n == nil || n.kind != mapping {
		return
	}
	chart := ofChart()
	for i, e := range n.entries {
		path := strings.TrimPrefix(above+"."+strings.ToLower(e.key), ".")
		note := Note{File: e.value.file, Line: e.line, Key: shown(path), Kind: Unknown, What: "Falcosidekick has no such key"}
		if slices.ContainsFunc(n.entries[i+1:], func(later *entry) bool { return strings.EqualFold(later.key, e.key) }) {
			note.Kind, note.What = Bad, "here twice; the last one counts"
			c.noteAt(note)
			continue
		}
		switch known[path] {
		case free:
			continue
		case inside:
			c.walk(e.value, path, known)
			continue
		}
		if what, ok := chart[path]; ok {
			if what == "" || e.value.empty() {
				continue
			}
			note.Kind, note.What = Dropped, what
		}
		c.noteAt(note)
	}
}
