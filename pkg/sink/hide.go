package sink

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// hide returns text with everything in it that req may hold as a secret replaced: the path, the
// query and their parts, the user and password of the URL, the values of the header.
//
// Short parts stay, because "v1" or "api" are no secrets and mean something in a message.
func hide(text string, req *http.Request) string {
	if text == "" || req == nil {
		return text
	}
	var pairs []string
	for _, secret := range requestSecrets(req) {
		pairs = append(pairs, secret, redacted)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// requestSecrets returns what hide replaces, the longest first: of two that begin at one place the
// replacer takes the first.
func requestSecrets(req *http.Request) []string {
	const shortest, shortestWhole = 6, 4
	var secrets []string
	add := func(least int, values ...string) {
		for _, v := range values {
			if len(v) >= least {
				secrets = append(secrets, v)
			}
		}
	}
	if u := req.URL; u != nil {
		add(shortestWhole, u.Path, u.EscapedPath(), u.RawQuery)
		for segment := range strings.SplitSeq(u.EscapedPath(), "/") {
			plain, _ := url.PathUnescape(segment)
			add(shortest, segment, plain)
		}
		for pair := range strings.SplitSeq(u.RawQuery, "&") {
			_, value, _ := strings.Cut(pair, "=")
			plain, _ := url.QueryUnescape(value)
			add(shortest, value, plain)
		}
		password, _ := u.User.Password()
		add(shortestWhole, u.User.Username(), password)
	}
	for name, values := range req.Header {
		if name == "Content-Type" || name == "User-Agent" {
			continue
		}
		for _, value := range values {
			add(shortest, value)
			add(shortest, strings.Fields(value)...) // the token after "Bearer"
		}
	}
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	return secrets
}
