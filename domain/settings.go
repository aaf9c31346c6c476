package domain

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Field names one member of a client's configuration as the wire spells it.
type Field string

// The members of a client's configuration.
const (
	FieldName          Field = "name"
	FieldStatus        Field = "status"
	FieldConfidential  Field = "is_confidential"
	FieldRedirectURIs  Field = "redirect_uris"
	FieldGrantTypes    Field = "grant_types"
	FieldScopes        Field = "scopes"
	FieldAuthMethods   Field = "client_auth_methods"
	FieldProfile       Field = "fapi_profile"
	FieldJWKS          Field = "jwks"
	FieldJWKSURI       Field = "jwks_uri"
	FieldLogoURL       Field = "logo_url"
	FieldWebsite       Field = "website"
	FieldPrivacyPolicy Field = "privacy_policy"
	FieldTermsURL      Field = "terms_url"
	FieldCORSOrigins   Field = "cors_origins"
	FieldTLSSubjectDN  Field = "tls_client_auth_subject_dn"
	FieldTLSSANDNS     Field = "tls_client_auth_san_dns"
	FieldTLSSANURI     Field = "tls_client_auth_san_uri"
	FieldTLSSANIP      Field = "tls_client_auth_san_ip"
	FieldTLSSANEmail   Field = "tls_client_auth_san_email"
)

// pointer is the JSON Pointer (RFC 6901) of the member in a request body or a
// client; no field name needs escaping.
func (f Field) pointer() string { return "/" + string(f) }

// element is the JSON Pointer of the array member's i-th element.
func (f Field) element(i int) string { return "/" + string(f) + "/" + strconv.Itoa(i) }

// RedirectURI is a registered redirection endpoint (RFC 6749 §3.1.2), kept
// byte for byte as it came because authorization servers match it so
// (RFC 9700 §2.1).
type RedirectURI string

// Link is the URL of a page about the client (RFC 7591 §2), kept as it came.
type Link string

// Origin is a web origin that may call the authorization server for this
// client, in its ASCII serialisation (RFC 6454 §6.2).
type Origin string

// KeySource says where a client's public keys are: nowhere, in the registry
// itself, or behind a URI. It cannot say two of these at once (RFC 7591 §2:
// "jwks_uri" and "jwks" MUST NOT both be present). The zero value is no keys.
type KeySource struct {
	inline string
	uri    string
}

// InlineKeys is the key source that holds the JSON text of a JWK Set; empty
// text is no keys.
func InlineKeys(jwks string) KeySource { return KeySource{inline: jwks} }

// KeysAt is the key source behind uri; an empty uri is no keys.
func KeysAt(uri string) KeySource { return KeySource{uri: uri} }

// Inline returns the JSON text of the JWK Set that the registry holds, empty
// where it holds none.
func (k KeySource) Inline() string { return k.inline }

// URI returns where the keys are, empty where they are not behind a URI.
func (k KeySource) URI() string { return k.uri }

// IsNone reports whether there are no keys.
func (k KeySource) IsNone() bool { return k == KeySource{} }

// field is the member that holds the source.
func (k KeySource) field() Field {
	if k.uri != "" {
		return FieldJWKSURI
	}
	return FieldJWKS
}

// TLSSubject holds the expected subject of the certificate of a client that
// authenticates by tls_client_auth; exactly one member is to be set
// (RFC 8705 §2.1.2).
type TLSSubject struct {
	DN       string
	SANDNS   string
	SANURI   string
	SANIP    string
	SANEmail string
}

// set lists the members that have a value.
func (t TLSSubject) set() []Field {
	var set []Field
	for _, m := range []struct {
		field Field
		value string
	}{
		{FieldTLSSubjectDN, t.DN},
		{FieldTLSSANDNS, t.SANDNS},
		{FieldTLSSANURI, t.SANURI},
		{FieldTLSSANIP, t.SANIP},
		{FieldTLSSANEmail, t.SANEmail},
	} {
		if m.value != "" {
			set = append(set, m.field)
		}
	}
	return set
}

// Settings is the configuration of a client: everything about it that rules
// judge and people set.
type Settings struct {
	Name          string
	Status        Status
	Confidential  bool
	RedirectURIs  []RedirectURI
	GrantTypes    []GrantType
	Scopes        []Scope
	AuthMethods   []AuthMethod
	Profile       Profile
	Keys          KeySource
	TLSSubject    TLSSubject
	LogoURL       Link
	Website       Link
	PrivacyPolicy Link
	TermsURL      Link
	CORSOrigins   []Origin
}

// clone returns a copy that shares no memory with s.
func (s Settings) clone() Settings {
	s.RedirectURIs = slices.Clone(s.RedirectURIs)
	s.GrantTypes = slices.Clone(s.GrantTypes)
	s.Scopes = slices.Clone(s.Scopes)
	s.AuthMethods = slices.Clone(s.AuthMethods)
	s.CORSOrigins = slices.Clone(s.CORSOrigins)
	return s
}

// usesSecret reports whether some authentication method of the client proves
// a shared secret.
func (s Settings) usesSecret() bool {
	return s.Confidential && slices.ContainsFunc(s.AuthMethods, AuthMethod.usesSecret)
}

func (s Settings) hasGrant(g GrantType) bool { return slices.Contains(s.GrantTypes, g) }

func (s Settings) hasMethod(m AuthMethod) bool { return slices.Contains(s.AuthMethods, m) }

// link returns the link that field names.
func (s Settings) link(f Field) Link {
	switch f {
	case FieldLogoURL:
		return s.LogoURL
	case FieldWebsite:
		return s.Website
	case FieldPrivacyPolicy:
		return s.PrivacyPolicy
	default:
		return s.TermsURL
	}
}

// Change is a wish to set some members of a configuration. A nil member is
// left as it is; a pointer to an empty value clears it.
type Change struct {
	Name          *string
	Status        *Status
	Confidential  *bool
	RedirectURIs  *[]RedirectURI
	GrantTypes    *[]GrantType
	Scopes        *[]Scope
	AuthMethods   *[]AuthMethod
	Profile       *Profile
	JWKS          *string
	JWKSURI       *string
	TLSSubjectDN  *string
	TLSSANDNS     *string
	TLSSANURI     *string
	TLSSANIP      *string
	TLSSANEmail   *string
	LogoURL       *Link
	Website       *Link
	PrivacyPolicy *Link
	TermsURL      *Link
	CORSOrigins   *[]Origin
}

// draft is a configuration that may still break rules. It alone can hold two
// key sources, so that the rule can report it.
type draft struct {
	Settings
	rivalKeys KeySource // the second key source, where both were given
	clientID  ClientID  // of a new client; empty if it exists, or if the registry generates one
}

// apply returns what s would become.
func (c Change) apply(s Settings) draft {
	d := draft{Settings: s.clone()}
	set(&d.Name, c.Name)
	set(&d.Status, c.Status)
	set(&d.Confidential, c.Confidential)
	set(&d.RedirectURIs, c.RedirectURIs)
	set(&d.GrantTypes, c.GrantTypes)
	set(&d.Scopes, c.Scopes)
	set(&d.AuthMethods, c.AuthMethods)
	set(&d.Profile, c.Profile)
	set(&d.TLSSubject.DN, c.TLSSubjectDN)
	set(&d.TLSSubject.SANDNS, c.TLSSANDNS)
	set(&d.TLSSubject.SANURI, c.TLSSANURI)
	set(&d.TLSSubject.SANIP, c.TLSSANIP)
	set(&d.TLSSubject.SANEmail, c.TLSSANEmail)
	set(&d.LogoURL, c.LogoURL)
	set(&d.Website, c.Website)
	set(&d.PrivacyPolicy, c.PrivacyPolicy)
	set(&d.TermsURL, c.TermsURL)
	set(&d.CORSOrigins, c.CORSOrigins)

	inline, uri := s.Keys.inline, s.Keys.uri
	set(&inline, c.JWKS)
	set(&uri, c.JWKSURI)
	d.Keys = InlineKeys(inline)
	if inline == "" {
		d.Keys = KeysAt(uri)
	} else if uri != "" {
		d.rivalKeys = KeysAt(uri)
	}
	return d
}

// set overwrites what to points at where a value was given.
func set[T any](to, value *T) {
	if value != nil {
		*to = *value
	}
}

// fields is a set of members.
type fields map[Field]struct{}

func (f fields) has(field Field) bool {
	_, ok := f[field]
	return ok
}

func (f fields) hasAny(list []Field) bool { return slices.ContainsFunc(list, f.has) }

// sorted lists the set in the order of the names.
func (f fields) sorted() []Field { return slices.Sorted(maps.Keys(f)) }

// differences returns the members in which the two configurations differ. An
// absent array and an empty one are the same.
func differences(a, b Settings) fields {
	changed := fields{}
	note := func(f Field, same bool) {
		if !same {
			changed[f] = struct{}{}
		}
	}
	note(FieldName, a.Name == b.Name)
	note(FieldStatus, a.Status == b.Status)
	note(FieldConfidential, a.Confidential == b.Confidential)
	note(FieldRedirectURIs, slices.Equal(a.RedirectURIs, b.RedirectURIs))
	note(FieldGrantTypes, slices.Equal(a.GrantTypes, b.GrantTypes))
	note(FieldScopes, slices.Equal(a.Scopes, b.Scopes))
	note(FieldAuthMethods, slices.Equal(a.AuthMethods, b.AuthMethods))
	note(FieldProfile, a.Profile == b.Profile)
	note(FieldJWKS, a.Keys.inline == b.Keys.inline)
	note(FieldJWKSURI, a.Keys.uri == b.Keys.uri)
	note(FieldTLSSubjectDN, a.TLSSubject.DN == b.TLSSubject.DN)
	note(FieldTLSSANDNS, a.TLSSubject.SANDNS == b.TLSSubject.SANDNS)
	note(FieldTLSSANURI, a.TLSSubject.SANURI == b.TLSSubject.SANURI)
	note(FieldTLSSANIP, a.TLSSubject.SANIP == b.TLSSubject.SANIP)
	note(FieldTLSSANEmail, a.TLSSubject.SANEmail == b.TLSSubject.SANEmail)
	note(FieldLogoURL, a.LogoURL == b.LogoURL)
	note(FieldWebsite, a.Website == b.Website)
	note(FieldPrivacyPolicy, a.PrivacyPolicy == b.PrivacyPolicy)
	note(FieldTermsURL, a.TermsURL == b.TermsURL)
	note(FieldCORSOrigins, slices.Equal(a.CORSOrigins, b.CORSOrigins))
	return changed
}

// value is the value of a member: a string, a bool or a []string.
func (s Settings) value(f Field) any {
	switch f {
	case FieldName:
		return s.Name
	case FieldStatus:
		return string(s.Status)
	case FieldConfidential:
		return s.Confidential
	case FieldRedirectURIs:
		return texts(s.RedirectURIs)
	case FieldGrantTypes:
		return texts(s.GrantTypes)
	case FieldScopes:
		return texts(s.Scopes)
	case FieldAuthMethods:
		return texts(s.AuthMethods)
	case FieldProfile:
		return string(s.Profile)
	case FieldJWKS:
		return s.Keys.inline
	case FieldJWKSURI:
		return s.Keys.uri
	case FieldTLSSubjectDN:
		return s.TLSSubject.DN
	case FieldTLSSANDNS:
		return s.TLSSubject.SANDNS
	case FieldTLSSANURI:
		return s.TLSSubject.SANURI
	case FieldTLSSANIP:
		return s.TLSSubject.SANIP
	case FieldTLSSANEmail:
		return s.TLSSubject.SANEmail
	case FieldCORSOrigins:
		return texts(s.CORSOrigins)
	default:
		return string(s.link(f))
	}
}

// texts is a list of plain strings; never nil.
func texts[S ~string](list []S) []string {
	plain := make([]string, len(list))
	for i, s := range list {
		plain[i] = string(s)
	}
	return plain
}

// ChangeTo returns the change that makes any configuration this one.
func (s Settings) ChangeTo() Change {
	s = s.clone()
	return Change{
		Name: &s.Name, Status: &s.Status, Confidential: &s.Confidential, RedirectURIs: &s.RedirectURIs,
		GrantTypes: &s.GrantTypes, Scopes: &s.Scopes, AuthMethods: &s.AuthMethods, Profile: &s.Profile,
		JWKS: &s.Keys.inline, JWKSURI: &s.Keys.uri, TLSSubjectDN: &s.TLSSubject.DN, TLSSANDNS: &s.TLSSubject.SANDNS,
		TLSSANURI: &s.TLSSubject.SANURI, TLSSANIP: &s.TLSSubject.SANIP, TLSSANEmail: &s.TLSSubject.SANEmail,
		LogoURL: &s.LogoURL, Website: &s.Website, PrivacyPolicy: &s.PrivacyPolicy, TermsURL: &s.TermsURL,
		CORSOrigins: &s.CORSOrigins,
	}
}

// Over returns the change that makes any configuration what s would be with c
// made to it: every field is set. It keeps two sources of keys, which the rules
// report.
func (c Change) Over(s Settings) Change {
	d := c.apply(s)
	whole := d.ChangeTo()
	if uri := d.rivalKeys.uri; uri != "" {
		whole.JWKSURI = &uri
	}
	return whole
}

// UsesSecret reports whether a client with the configuration s authenticates with
// a secret once the change is made to it.
func (c Change) UsesSecret(s Settings) bool { return c.apply(s).usesSecret() }

// Needed returns what of the change is left to do where s is: the members that
// are already as it wishes are nil. Differences are what it would change, in the
// order of the members' names.
func (c Change) Needed(s Settings) (left Change, differences []Difference) {
	unneeded(&c.Name, s.Name)
	unneeded(&c.Status, s.Status)
	unneeded(&c.Confidential, s.Confidential)
	unneededList(&c.RedirectURIs, s.RedirectURIs)
	unneededList(&c.GrantTypes, s.GrantTypes)
	unneededList(&c.Scopes, s.Scopes)
	unneededList(&c.AuthMethods, s.AuthMethods)
	unneeded(&c.Profile, s.Profile)
	unneeded(&c.JWKS, s.Keys.inline)
	unneeded(&c.JWKSURI, s.Keys.uri)
	unneeded(&c.TLSSubjectDN, s.TLSSubject.DN)
	unneeded(&c.TLSSANDNS, s.TLSSubject.SANDNS)
	unneeded(&c.TLSSANURI, s.TLSSubject.SANURI)
	unneeded(&c.TLSSANIP, s.TLSSubject.SANIP)
	unneeded(&c.TLSSANEmail, s.TLSSubject.SANEmail)
	unneeded(&c.LogoURL, s.LogoURL)
	unneeded(&c.Website, s.Website)
	unneeded(&c.PrivacyPolicy, s.PrivacyPolicy)
	unneeded(&c.TermsURL, s.TermsURL)
	unneededList(&c.CORSOrigins, s.CORSOrigins)
	become := c.apply(s)
	differences = Compare(s, become.Settings)
	if become.rivalKeys.uri != "" && become.rivalKeys.uri != s.Keys.uri {
		differences = append(differences, Difference{FieldJWKSURI, s.Keys.uri, become.rivalKeys.uri})
	}
	return c, differences
}

// unneeded drops a wish for what is there.
func unneeded[T comparable](wish **T, there T) {
	if *wish != nil && **wish == there {
		*wish = nil
	}
}

// unneededList is unneeded for lists.
func unneededList[T comparable](wish **[]T, there []T) {
	if *wish != nil && slices.Equal(**wish, there) {
		*wish = nil
	}
}

// RedirectHosts returns the hosts of the redirect URIs, in lower case, each
// once; URIs without a host have none.
func (s Settings) RedirectHosts() []string {
	var hosts []string
	for _, raw := range s.RedirectURIs {
		if host := strings.ToLower(parseURI(string(raw)).host); host != "" && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}
