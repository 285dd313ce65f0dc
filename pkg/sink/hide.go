package sink

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
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

// Hide is for errors of client libraries and answers of receivers, which can repeat what they refuse: it
// returns err with each of secrets in its text replaced, as it is, quoted, in a URL or in base64. The
// class stays, and so does whether it is the end of a context; the chain does not, since it holds the
// same text. An error that shows no secret is returned as it is. Nil stays nil.
//
// Sinks that speak HTTP by Send or Do need it only for secrets in a body: what a request's URL and
// header hold is hidden there. Secrets of less than four bytes stay: they would make any text unreadable.
func Hide(err error, secrets ...Secret) error {
	var pairs []string
	for _, s := range secrets {
		for _, form := range secretForms(string(s)) {
			pairs = append(pairs, form, redacted)
		}
	}
	r := strings.NewReplacer(pairs...)
	if err == nil || !shows(err, r) {
		return err
	}
	hidden := hiddenError{text: r.Replace(err.Error())}
	for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, end) {
			hidden.end = end
		}
	}
	if m, ok := errors.AsType[*marked](err); ok {
		return &marked{err: hidden, permanent: m.permanent, after: m.after}
	}
	return hidden
}

// secretForms are the ways in which a secret is written, the longest first.
func secretForms(s string) []string {
	const shortest = 4
	if len(s) < shortest {
		return nil
	}
	quoted := strconv.Quote(s)
	forms := []string{
		s, quoted[1 : len(quoted)-1], url.QueryEscape(s), url.PathEscape(s),
		base64.StdEncoding.EncodeToString([]byte(s)), base64.RawURLEncoding.EncodeToString([]byte(s)),
	}
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(forms)
}

// shows reports whether r finds something in err, or in one that it wraps.
func shows(err error, r *strings.Replacer) bool {
	if err == nil {
		return false
	}
	if text := err.Error(); r.Replace(text) != text {
		return true
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // each level is looked at
		return slices.ContainsFunc(many.Unwrap(), func(e error) bool { return shows(e, r) })
	}
	return shows(errors.Unwrap(err), r)
}

// hiddenError is the text of an error without its secrets.
type hiddenError struct {
	text string
	end  error // of the context, nil if it was not that
}

func (h hiddenError) Error() string { return h.text }
func (h hiddenError) Unwrap() error { return h.end }
