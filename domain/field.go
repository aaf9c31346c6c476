package domain

import (
	"iter"
	"strconv"
	"strings"
)

// Field is one field of a client's configuration: a row of the table in field_table.go. The
// zero Field is the first row, not "no field".
type Field uint8

// The fields of a client's configuration, in the order of the documentation.
const (
	FieldName Field = iota
	FieldStatus
	FieldConfidential
	FieldProfile
	FieldRedirectURIs
	FieldGrantTypes
	FieldScopes
	FieldAuthMethods
	FieldTLSSubjectDN
	FieldTLSSANDNS
	FieldTLSSANURI
	FieldTLSSANIP
	FieldTLSSANEmail
	FieldJWKS
	FieldJWKSURI
	FieldCORSOrigins
	FieldLogoURL
	FieldWebsite
	FieldPrivacyPolicy
	FieldTermsURL
	FieldResponseTypes
	FieldResponseModes
	FieldApplicationType
	FieldContacts
	FieldDescription
	FieldSoftwareID
	FieldSoftwareVersion
	FieldSubjectType
	FieldSectorIdentifierURI
	FieldIDTokenSigningAlg
	FieldIDTokenEncryptionAlg
	FieldIDTokenEncryption
	FieldUserInfoSigningAlg
	FieldUserInfoEncryptionAlg
	FieldUserInfoEncryption
	FieldIntrospectionSigningAlg
	FieldIntrospectionEncryptionAlg
	FieldIntrospectionEncryption
	FieldAuthorizationSigningAlg
	FieldAuthorizationEncryptionAlg
	FieldAuthorizationEncryption
	FieldRequestObjectSigningAlg
	FieldRequestObjectEncryptionAlg
	FieldRequestObjectEncryption
	FieldAuthSigningAlg
	FieldDefaultMaxAge
	FieldRequireAuthTime
	FieldDefaultACRValues
	FieldInitiateLoginURI
	FieldRequestURIs
	FieldPostLogoutRedirectURIs
	FieldBackchannelLogoutURI
	FieldBackchannelLogoutSession
	FieldFrontchannelLogoutURI
	FieldFrontchannelLogoutSession
	FieldRequireSignedRequestObject
	FieldRequirePAR
	FieldRequirePKCE
	FieldDPoPBound
	FieldCertificateBound
	FieldUseMTLSAliases
	FieldAuthorizationDetailsTypes
	FieldCIBADeliveryMode
	FieldCIBANotificationEndpoint
	FieldCIBARequestSigningAlg
	FieldCIBAUserCode
	FieldRefreshTokenRotation
	FieldAccessTokenLifetime
	FieldIDTokenLifetime
	FieldRefreshTokenLifetime
	FieldSkipConsent
	FieldResources
	FieldOwner
	FieldLabels
	fieldCount int = iota
)

// field is a row of the table: everything that code outside the rules needs to
// know about a field. All code that stores, shows, compares or reads a configuration
// is a loop over these rows.
type field struct {
	name     string // in requests, responses, files and stored documents
	metadata string // as client metadata (RFC 7591 §2); empty for a field without a registered name
	about    string // for the documentation
	by       Setter
	// always marks the fields that every response has; the others are in it only
	// if they are set.
	always bool
	facet  string // the kind of facet that lists filter by; empty if they do not
	// facetOf derives the facet's value from one value of the field; nil means that
	// the two are equal.
	facetOf func(value string) string
	at      func(*Settings) Value
}

// Setter defines which callers may set a field.
type Setter uint8

// The setters. A client that registers itself (RFC 7591) is not an operator.
const (
	// Anyone is every caller that may write clients, and the client itself.
	Anyone Setter = iota
	// Operators are the callers that may write clients, but not the client itself.
	Operators
)

// String returns "anyone" or "operators".
func (s Setter) String() string {
	if s == Operators {
		return "operators"
	}
	return "anyone"
}

// LastField is the last field in the order of [Fields].
const LastField = Field(fieldCount - 1)

// Fields returns all fields, in the order of the documentation.
func Fields() iter.Seq[Field] {
	return func(yield func(Field) bool) {
		for f := range fieldCount {
			if !yield(Field(f)) {
				return
			}
		}
	}
}

// FieldNamed returns the field with that name. The search starts after the field
// previous: configurations are written in the order of the table, so the first
// comparison nearly always succeeds. Pass [LastField] to start with the first field.
func FieldNamed(name string, previous Field) (f Field, ok bool) {
	for i := range fieldCount {
		f := Field((int(previous) + 1 + i) % fieldCount)
		if table[f].name == name {
			return f, true
		}
	}
	return 0, false
}

// String returns the name of the field in requests, responses, files and stored
// documents.
func (f Field) String() string { return table[f].name }

// Metadata returns the field's name as client metadata (RFC 7591 §2); empty if the
// field has no registered name.
func (f Field) Metadata() string { return table[f].metadata }

// About describes the field in a few words.
func (f Field) About() string { return table[f].about }

// AlwaysShown returns the fields that every response has, also if they are unset.
func AlwaysShown() (set FieldSet) {
	for f := range Fields() {
		set.put(f, table[f].always)
	}
	return set
}

// SetBy returns which callers may set the field.
func (f Field) SetBy() Setter { return table[f].by }

// Facet returns the kind of facet that lists filter the field by; empty if they do not
// filter by the field.
func (f Field) Facet() string { return table[f].facet }

// FacetValue returns the facet for a value of the field; empty if there is none.
func (f Field) FacetValue(value string) string {
	if derive := table[f].facetOf; derive != nil {
		return derive(value)
	}
	return value
}

// Of returns the value of the field in s. Writing to it writes to s.
func (f Field) Of(s *Settings) Value { return table[f].at(s) }

// pointer is the JSON Pointer (RFC 6901) of the field in a request body or a
// client; no field name needs escaping.
func (f Field) pointer() string { return "/" + table[f].name }

// element is the JSON Pointer of the i-th element of the field, a list.
func (f Field) element(i int) string { return f.pointer() + "/" + strconv.Itoa(i) }

// entry is the JSON Pointer of the value with that name in the field, a map.
func (f Field) entry(name string) string {
	return f.pointer() + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// hostOf returns the host of a redirect URI in lower case; empty if it has no host.
func hostOf(uri string) string { return strings.ToLower(parseURI(uri).host) }
