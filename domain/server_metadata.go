package domain

import (
	"slices"
)

// ServerMetadata is what an authorization server publishes about what it supports (OIDC
// Discovery §3, RFC 8414 §2), as far as rules compare clients with it. The zero value is
// that nothing is known.
type ServerMetadata struct {
	supported             map[Field][]string // in order
	requireSignedRequests bool
}

// serverList is a list in the metadata of a server, and the field of a client whose values
// it lists.
type serverList struct {
	name  string
	field Field
	// open lists may be incomplete: a server need not publish all of its values.
	open bool
}

// serverLists are the lists that clients are compared with, in the order of the fields.
func serverLists() []serverList {
	return []serverList{
		{name: "grant_types_supported", field: FieldGrantTypes},
		{name: "scopes_supported", field: FieldScopes, open: true},
		{name: "token_endpoint_auth_methods_supported", field: FieldAuthMethods},
		{name: "response_types_supported", field: FieldResponseTypes},
		{name: "response_modes_supported", field: FieldResponseModes},
		{name: "subject_types_supported", field: FieldSubjectType},
		{name: "id_token_signing_alg_values_supported", field: FieldIDTokenSigningAlg},
		{name: "id_token_encryption_alg_values_supported", field: FieldIDTokenEncryptionAlg},
		{name: "id_token_encryption_enc_values_supported", field: FieldIDTokenEncryption},
		{name: "userinfo_signing_alg_values_supported", field: FieldUserInfoSigningAlg},
		{name: "userinfo_encryption_alg_values_supported", field: FieldUserInfoEncryptionAlg},
		{name: "userinfo_encryption_enc_values_supported", field: FieldUserInfoEncryption},
		{name: "introspection_signing_alg_values_supported", field: FieldIntrospectionSigningAlg},
		{name: "introspection_encryption_alg_values_supported", field: FieldIntrospectionEncryptionAlg},
		{name: "introspection_encryption_enc_values_supported", field: FieldIntrospectionEncryption},
		{name: "authorization_signing_alg_values_supported", field: FieldAuthorizationSigningAlg},
		{name: "authorization_encryption_alg_values_supported", field: FieldAuthorizationEncryptionAlg},
		{name: "authorization_encryption_enc_values_supported", field: FieldAuthorizationEncryption},
		{name: "request_object_signing_alg_values_supported", field: FieldRequestObjectSigningAlg},
		{name: "request_object_encryption_alg_values_supported", field: FieldRequestObjectEncryptionAlg},
		{name: "request_object_encryption_enc_values_supported", field: FieldRequestObjectEncryption},
		{name: "token_endpoint_auth_signing_alg_values_supported", field: FieldAuthSigningAlg},
		{name: "acr_values_supported", field: FieldDefaultACRValues, open: true},
		{name: "authorization_details_types_supported", field: FieldAuthorizationDetailsTypes},
		{name: "backchannel_token_delivery_modes_supported", field: FieldCIBADeliveryMode},
		{name: "backchannel_authentication_request_signing_alg_values_supported", field: FieldCIBARequestSigningAlg},
	}
}

// ServerLists returns the names of the lists in the metadata of a server that clients are
// compared with, e.g. "grant_types_supported".
func ServerLists() []string {
	var names []string
	for _, list := range serverLists() {
		names = append(names, list.name)
	}
	return names
}

// NewServerMetadata returns what a server supports by the lists in its metadata, by their
// names, and its require_signed_request_object (RFC 9101 §10.5). A list that is absent
// says nothing. Lists with other names than those of [ServerLists] are ignored.
func NewServerMetadata(lists map[string][]string, requireSignedRequestObject bool) ServerMetadata {
	m := ServerMetadata{supported: map[Field][]string{}, requireSignedRequests: requireSignedRequestObject}
	for _, list := range serverLists() {
		if values, present := lists[list.name]; present {
			values = slices.Clone(values)
			for i, value := range values {
				values[i] = inOneForm(list.field, value)
			}
			slices.Sort(values)
			m.supported[list.field] = values
		}
	}
	return m
}

// supports reports whether the server's metadata lists the value for the field. It returns
// false if there is no such list. So a value that a named server lists extends the
// vocabulary of the field.
func (m ServerMetadata) supports(field Field, value string) bool {
	_, found := slices.BinarySearch(m.supported[field], inOneForm(field, value))
	return found
}

// lacks reports whether the server's metadata has a list for the field without the value.
func (m ServerMetadata) lacks(field Field, value string) bool {
	_, listed := m.supported[field]
	return listed && !m.supports(field, value)
}

// inOneForm returns the value with the words of a response type, whose order has no
// meaning (RFC 6749 §3.1.1), in one order.
func inOneForm(field Field, value string) string {
	if field != FieldResponseTypes {
		return value
	}
	return string(wordsOf(value))
}
