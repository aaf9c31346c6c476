package domain

import "slices"

// The rows on what the authorization server can do, for deployments that name its
// metadata: OIDC Discovery §3, RFC 8414 §2, RFC 9101 §10.5.
func serverRules() []Rule {
	var compared []Field
	for _, list := range serverLists() {
		compared = append(compared, list.field)
	}
	return []Rule{
		{
			ID: "server-unsupported", Level: Violation, Softens: true, Source: "OIDC Discovery §3, RFC 8414 §2", needs: compared,
			Summary: "the deployment names the metadata of its authorization server, and its list of supported values lacks a value of the client; a warning for scopes and default_acr_values, which a server need not list completely",
			check:   checkServerSupport,
		},
		{
			ID: "server-requires-signed", Level: Violation, Source: "RFC 9101 §10.5", keys: true,
			needs:   []Field{FieldGrantTypes, FieldJWKS, FieldJWKSURI},
			Summary: "the authorization server requires signed request objects, authorization_code or implicit is listed, and no key of the client can verify a signature",
			check: func(j *candidate, r *report) {
				switch {
				case !j.server.requireSignedRequests || !slices.ContainsFunc(j.GrantTypes, GrantType.redirects):
				case j.Keys.IsNone():
					r.on(FieldJWKS, "the authorization server requires signed request objects, which need the client's public keys; set jwks or jwks_uri")
				case j.keys.lack(Key.verifies):
					r.on(j.Keys.field(), "the authorization server requires signed request objects, but no key in the set can verify a signature; add one")
				}
			},
		},
	}
}

func checkServerSupport(j *candidate, r *report) {
	if len(j.server.supported) == 0 {
		return
	}
	for _, list := range serverLists() {
		unsupported := func(pointer, value string) {
			if value == "" || !j.server.lacks(list.field, value) || isNotListed(list.field, value) {
				return
			}
			level, remedy := r.rule.Level, "remove it, or configure the server"
			if list.open {
				level, remedy = Warning, "check that the server knows it"
			}
			r.add(level, pointer, list.field.String()+" "+value, "the authorization server does not list %s in %s; %s", quoted(value), list.name, remedy)
			r.findings[len(r.findings)-1].needs = []Field{list.field} // each list is compared with its field alone
		}
		switch value := list.field.Of(&j.Settings).(type) {
		case *Text:
			unsupported(list.field.pointer(), string(*value))
		case Texts:
			for i := range value.Len() {
				unsupported(list.field.element(i), value.Text(i))
			}
		}
	}
}

// isNotListed reports whether servers that accept the value need not list it: "none" is
// no authentication method (Keycloak accepts public clients and does not list it), and no
// signature of userinfo responses, which are plain JSON then (OIDC Registration §2).
func isNotListed(field Field, value string) bool {
	switch field {
	case FieldAuthMethods:
		return value == string(AuthNone)
	case FieldUserInfoSigningAlg:
		return value == "none"
	default:
		return false
	}
}
