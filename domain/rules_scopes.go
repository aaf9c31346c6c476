package domain

import "slices"

// The rules about scopes: RFC 6749 §3.3, OIDC Core §3.1.2.1 and §11.
func scopeRules() []Rule {
	scopes := []Field{FieldScopes}
	scopesAndGrants := []Field{FieldScopes, FieldGrantTypes}
	return []Rule{
		{
			ID: "scope-syntax", Level: Violation, Source: "RFC 6749 §3.3", needs: scopes,
			Summary: "it is not a scope-token: at least one printable ASCII character, no space, quotation mark or backslash",
			check: func(j *candidate, r *report) {
				for i, s := range j.Scopes {
					if !s.IsWellFormed() {
						r.at(FieldScopes, i, string(s),
							"%s is not a scope; use printable ASCII without space, quotation mark and backslash, one scope per element", quoted(s))
					}
				}
			},
		},
		{
			ID: "scope-duplicate", Level: Violation, Source: "RFC 6749 §3.3", needs: scopes,
			Summary: "a scope is listed twice",
			check:   func(j *candidate, r *report) { checkDuplicates(r, FieldScopes, j.Scopes) },
		},
		{
			ID: "scope-offline-access", Level: Warning, Source: "OIDC Core §11", needs: scopesAndGrants,
			Summary: "offline_access is listed without refresh_token",
			check: func(j *candidate, r *report) {
				if i := slices.Index(j.Scopes, scopeOfflineAccess); i >= 0 && !j.hasGrant(GrantRefreshToken) {
					r.at(FieldScopes, i, string(scopeOfflineAccess), "offline_access requests a refresh token; add the grant type refresh_token, or remove the scope")
				}
			},
		},
		{
			ID: "scope-openid-grant", Level: Warning, Source: "OIDC Core §3.1.2.1",
			needs:   []Field{FieldScopes, FieldGrantTypes, FieldCIBADeliveryMode},
			Summary: "openid is listed, but no grant type involves an end-user, and backchannel_token_delivery_mode is not set",
			check: func(j *candidate, r *report) {
				if i := slices.Index(j.Scopes, scopeOpenID); i >= 0 && !j.usesCIBA() && !slices.ContainsFunc(j.GrantTypes, GrantType.endUser) {
					r.at(FieldScopes, i, string(scopeOpenID), "no grant type of this client involves an end-user; remove openid, or add authorization_code")
				}
			},
		},
	}
}
