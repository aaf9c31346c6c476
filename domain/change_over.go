package domain

// Over returns the change that makes any configuration what s would be with c
// applied to it: every field is set, to the value of c or else of s.
func (c Change) Over(s Settings) Change {
	whole := s.ChangeTo()
	override(&whole.Name, c.Name)
	override(&whole.Status, c.Status)
	override(&whole.Confidential, c.Confidential)
	override(&whole.RedirectURIs, c.RedirectURIs)
	override(&whole.GrantTypes, c.GrantTypes)
	override(&whole.Scopes, c.Scopes)
	override(&whole.AuthMethods, c.AuthMethods)
	override(&whole.Profile, c.Profile)
	override(&whole.JWKS, c.JWKS)
	override(&whole.JWKSURI, c.JWKSURI)
	override(&whole.TLSSubjectDN, c.TLSSubjectDN)
	override(&whole.TLSSANDNS, c.TLSSANDNS)
	override(&whole.TLSSANURI, c.TLSSANURI)
	override(&whole.TLSSANIP, c.TLSSANIP)
	override(&whole.TLSSANEmail, c.TLSSANEmail)
	override(&whole.LogoURL, c.LogoURL)
	override(&whole.Website, c.Website)
	override(&whole.PrivacyPolicy, c.PrivacyPolicy)
	override(&whole.TermsURL, c.TermsURL)
	override(&whole.CORSOrigins, c.CORSOrigins)
	return whole
}

// override replaces a value where another one is given.
func override[T any](value **T, by *T) {
	if by != nil {
		*value = by
	}
}
