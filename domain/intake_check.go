package domain

import "slices"

// checkRedirects reports the URIs to which browsers and servers are sent and that the
// policy does not allow. They are never replaced: a client would wait at the wrong one.
func (in *intake) checkRedirects() {
	restricted := []Field{FieldRedirectURIs, FieldPostLogoutRedirectURIs, FieldBackchannelLogoutURI, FieldFrontchannelLogoutURI}
	in.eachURI(restricted, func(u *uri, f Field, pointer string) {
		kind := u.redirectKind()
		if kind != "" && !slices.Contains(in.policy.RedirectKinds, kind) {
			in.find(ruleRedirectKind, Violation, pointer, u.raw, "the policy does not allow URIs of the kind %s in %s; remove it", kind, f)
		}
	})
	if in.policy.RedirectHosts == nil {
		return
	}
	in.eachURI(restricted, func(u *uri, _ Field, pointer string) {
		if !anyMatches(in.policy.RedirectHosts, u.policyHost()) {
			in.find(ruleRedirectHost, Violation, pointer, u.raw, "the policy does not allow the host %s; use a host that it allows", quoted(u.policyHost()))
		}
	})
}

// eachURI calls check for each URI of the fields that no administrator set.
func (in *intake) eachURI(fields []Field, check func(u *uri, f Field, pointer string)) {
	for _, f := range fields {
		if in.locked.Has(f) {
			continue
		}
		switch value := f.Of(&in.settings).(type) {
		case *Text:
			if u := parseURI(string(*value)); *value != "" {
				check(&u, f, f.pointer())
			}
		case Texts:
			for i := range value.Len() {
				u := parseURI(value.Text(i))
				check(&u, f, f.element(i))
			}
		}
	}
}

// checkLinks reports the links whose host is not that of a redirect URI (RFC 7591 §5),
// which may imitate another client. A client without redirect URIs is shown to no user.
func (in *intake) checkLinks() {
	uris := parseURIs(in.settings.RedirectURIs)
	level, checked := in.policy.LinkHosts.level()
	if !checked || len(uris) == 0 {
		return
	}
	in.eachURI(links(), func(u *uri, f Field, pointer string) {
		same := func(r uri) bool { return r.policyHost() == u.policyHost() }
		if !slices.ContainsFunc(uris, same) {
			in.find(ruleLinkHost, level, pointer, "", "the host of %s is not that of a redirect URI, so it may imitate another client; use the host of this one", f.Metadata())
		}
	})
}

func (in *intake) checkStatement() {
	if in.policy.Statement == StatementRequired && !in.hasStatement && !in.document {
		in.reject(ruleStatement, "/software_statement", "a software statement of a trusted issuer is required")
	}
}
