package domain

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// server is a server whose metadata has one list.
func server(name string, values ...string) ServerMetadata {
	return NewServerMetadata(map[string][]string{name: values}, false)
}

func serverExamples() map[string][]example {
	signed := NewServerMetadata(nil, true)
	encrypting := keySet(with(ecKey(), func(k *Key) { k.Use = "enc" }))
	unexamined := KeysUnexamined()
	alg := func(f Field, value string) func(*Settings) {
		return func(s *Settings) { *f.Of(s).(*Text) = Text(value) }
	}
	cases := []example{
		{name: "grant", server: server("grant_types_supported", "implicit"), at: "/grant_types/0"},
		{name: "empty list", server: server("grant_types_supported"), at: "/grant_types/0"},
		{name: "method", server: server("token_endpoint_auth_methods_supported", "client_secret_basic"), at: "/client_auth_methods/0"},
		{
			name: "response type", edit: func(s *Settings) { s.ResponseTypes = []ResponseType{"code", "code id_token"} },
			server: server("response_types_supported", "code", "id_token"), at: "/response_types/1",
		},
		{
			name: "response mode", edit: func(s *Settings) { s.ResponseModes = []ResponseMode{"form_post"} },
			server: server("response_modes_supported", "query"), at: "/response_modes/0",
		},
		{name: "subject type", edit: pairwise, server: server("subject_types_supported", "public"), at: "/subject_type"},
		{
			name: "authorization details", edit: func(s *Settings) { s.AuthorizationDetailsTypes = []string{"payment"} },
			server: server("authorization_details_types_supported", "account"), at: "/authorization_details_types/0",
		},
		{name: "delivery mode", edit: ciba(DeliveryPing), server: server("backchannel_token_delivery_modes_supported", "poll"), at: "/backchannel_token_delivery_mode"},
		{name: "scope", server: server("scopes_supported", "openid"), at: "/scopes/1", level: Warning},
		{
			name: "acr", edit: func(s *Settings) { s.DefaultACRValues = []string{"phr"} },
			server: server("acr_values_supported", "loa1"), at: "/default_acr_values/0", level: Warning,
		},
		{name: "none for ID tokens", edit: alg(FieldIDTokenSigningAlg, "none"), server: server("id_token_signing_alg_values_supported", "RS256"), at: "/id_token_signed_response_alg"},
		{name: "no metadata"},
		{name: "an absent list", edit: pairwise, server: server("response_modes_supported", "query")},
		{name: "an unknown list", server: server("code_challenge_methods_supported", "S256")},
		{name: "an unset field", server: server("subject_types_supported", "public")},
		{name: "listed", server: server("grant_types_supported", "implicit", "authorization_code")},
		{
			name: "a response type in another order", edit: func(s *Settings) { s.ResponseTypes = []ResponseType{"id_token code"} },
			server: server("response_types_supported", "code id_token"),
		},
		{name: "a public client", edit: public(), server: server("token_endpoint_auth_methods_supported", "private_key_jwt")},
		{name: "plain userinfo", edit: alg(FieldUserInfoSigningAlg, "none"), server: server("userinfo_signing_alg_values_supported", "RS256")},
	}
	for _, list := range serverLists() {
		if _, isText := list.field.Of(&Settings{}).(*Text); isText {
			cases = append(cases,
				example{name: list.name + " without it", edit: alg(list.field, "one"), server: server(list.name, "other"), at: list.field.pointer()},
				example{name: list.name + " with it", edit: alg(list.field, "one"), server: server(list.name, "one")})
		}
	}
	return map[string][]example{
		"server-unsupported": cases,
		"server-requires-signed": {
			{name: "no keys", edit: func(s *Settings) { s.Keys, s.AuthMethods = KeySource{}, []AuthMethod{AuthSecretBasic} }, server: signed, at: "/jwks"},
			{name: "only an encryption key", set: encrypting, server: signed, at: "/jwks"},
			{name: "only an encryption key at a jwks_uri", edit: keysAt("https://a.example/jwks"), set: encrypting, server: signed, at: "/jwks_uri"},
			{name: "implicit", edit: all(grants(GrantImplicit), redirect("https://app.example.com/")), set: encrypting, server: signed, at: "/jwks"},
			{name: "a signature key", server: signed},
			{name: "keys that were not read", edit: keysAt("https://a.example/jwks"), keys: &unexamined, server: signed},
			{name: "no grant that redirects", edit: grants(GrantClientCredentials), set: encrypting, server: signed},
			{name: "not required", set: encrypting, server: server("grant_types_supported", "authorization_code")},
			{name: "no metadata", set: encrypting},
		},
	}
}

func TestServerMetadataExtendsVocabularies(t *testing.T) {
	m := NewServerMetadata(map[string][]string{
		"id_token_signing_alg_values_supported": {"ML-DSA-44"}, "response_modes_supported": {"cookie"}, "response_types_supported": {"code token"},
	}, false)
	assert.True(t, m.supports(FieldIDTokenSigningAlg, "ML-DSA-44"))
	assert.False(t, m.supports(FieldUserInfoSigningAlg, "ML-DSA-44"), "each list is about its field alone")
	assert.True(t, m.supports(FieldResponseModes, "cookie"))
	assert.True(t, m.supports(FieldResponseTypes, "token code"))
	assert.False(t, ServerMetadata{}.supports(FieldResponseModes, "cookie"))
}

// A finding about one field says nothing about a change of another.
func TestUnsupportedValuesOfOtherFieldsArePreexisting(t *testing.T) {
	before := stored(all(pairwise, func(s *Settings) { s.ResponseModes = []ResponseMode{"form_post"} }))
	facts := Facts{Keys: KeysSeen(*keySet(ecKey())), Server: NewServerMetadata(map[string][]string{
		"subject_types_supported": {"public"}, "response_modes_supported": {"query"},
	}, false)}
	decide := func(change Change) Outcome {
		return must(testBook(t, Policy{}).Revise(before, change)).Decide(facts, testNow)
	}

	outcome := decide(ChangeOf(Settings{ResponseModes: []ResponseMode{"query"}}))
	assert.Empty(t, outcome.Findings.Violations())
	assert.Equal(t, []string{"server-unsupported"}, rulesOf(outcome.Findings.Warnings()))
	outcome = decide(ChangeOf(Settings{ResponseModes: []ResponseMode{"form_post", "fragment"}}))
	assert.Len(t, outcome.Findings.Violations(), 1)
	assert.Equal(t, "/response_modes/1", outcome.Findings.Violations()[0].Pointer)
	assert.Len(t, outcome.Findings.Independent(FieldsOf(FieldResponseModes)), 1, "the finding about the subject type remains")
}
