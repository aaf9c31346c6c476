package domain

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func responseTypes(list ...ResponseType) func(*Settings) {
	return func(s *Settings) { s.ResponseTypes = list }
}

func responseModes(list ...ResponseMode) func(*Settings) {
	return func(s *Settings) { s.ResponseModes = list }
}

func application(kind ApplicationType) func(*Settings) {
	return func(s *Settings) { s.ApplicationType = kind }
}

// hybrid lists the grants of the hybrid flow.
func hybrid(s *Settings) { s.GrantTypes = []GrantType{GrantAuthorizationCode, GrantImplicit} }

// responseExamples holds the examples of the rules on response types, response modes and
// the application type.
func responseExamples() map[string][]example {
	return map[string][]example{
		"response-type-unknown": {
			{name: "unknown word", edit: responseTypes("magic"), at: "/response_types/0"},
			{name: "empty", edit: responseTypes(""), at: "/response_types/0"},
			{name: "another case", edit: responseTypes("Code"), at: "/response_types/0"},
			{name: "two spaces", edit: responseTypes("code", "code  id_token"), at: "/response_types/1"},
			{name: "space at the end", edit: responseTypes("code "), at: "/response_types/0"},
			{name: "tab", edit: responseTypes("code\tid_token"), at: "/response_types/0"},
			{name: "comma", edit: responseTypes("code,id_token"), at: "/response_types/0"},
			{name: "none with another word", edit: responseTypes("none code"), at: "/response_types/0"},
			{name: "unset"},
			{name: "each one", edit: responseTypes(
				"code", "token", "id_token", "none", "code id_token", "code token", "id_token token", "code id_token token")},
			{name: "another order", edit: responseTypes("id_token code", "token id_token", "token id_token code")},
		},
		"response-type-duplicate": {
			{name: "same", edit: responseTypes("code", "code"), at: "/response_types/1"},
			{name: "another order", edit: responseTypes("code id_token", "code", "id_token code"), at: "/response_types/2"},
			{name: "a word twice", edit: responseTypes("code code"), at: "/response_types/0"},
			{name: "a word twice among others", edit: responseTypes("code id_token code"), at: "/response_types/0"},
			{name: "different", edit: responseTypes("code", "code id_token", "id_token")},
		},
		"response-type-grant": {
			{name: "code without its grant", edit: all(grants(GrantClientCredentials), responseTypes("code")), at: "/response_types/0"},
			{name: "hybrid without authorization_code", edit: all(grants(GrantImplicit), responseTypes("id_token code")), at: "/response_types/0"},
			{name: "token without implicit", edit: responseTypes("code", "token"), at: "/response_types/1"},
			{name: "code token without implicit", edit: responseTypes("code token"), at: "/response_types/0"},
			{name: "id_token without implicit", edit: responseTypes("id_token"), at: "/response_types/0"},
			{name: "code id_token without implicit", edit: responseTypes("id_token code"), at: "/response_types/0"},
			{name: "code id_token without implicit in Baseline", profile: ProfileFAPI1Baseline, edit: responseTypes("id_token code"), at: "/response_types/0", level: Warning},
			{name: "code id_token without implicit in Advanced", profile: ProfileFAPI1Advanced, edit: responseTypes("code id_token"), at: "/response_types/0", level: Warning},
			{name: "code id_token token without implicit in Advanced", profile: ProfileFAPI1Advanced, edit: responseTypes("code id_token token"), at: "/response_types/0"},
			{name: "code id_token without any grant in Advanced", profile: ProfileFAPI1Advanced, edit: all(grants(GrantClientCredentials), responseTypes("code id_token")), at: "/response_types/0"},
			{name: "code", edit: responseTypes("code")},
			{name: "hybrid", edit: all(hybrid, responseTypes("code", "code id_token", "code id_token token", "token"))},
			{name: "none needs no grant", edit: responseTypes("code", "none")},
		},
		"grant-response-type": {
			{name: "authorization_code without code", edit: all(hybrid, responseTypes("id_token")), at: "/response_types"},
			{name: "authorization_code with none only", edit: responseTypes("none"), at: "/response_types"},
			{name: "implicit without a token", edit: all(hybrid, responseTypes("code")), at: "/response_types", level: Warning},
			{name: "unset", edit: hybrid},
			{name: "code id_token serves both", edit: all(hybrid, responseTypes("id_token code"))},
			{name: "another grant", edit: all(grants(GrantClientCredentials), responseTypes("none"))},
		},
		"response-type-undeclared": {
			{name: "implicit", edit: grants(GrantImplicit), at: "/response_types"},
			{name: "declared", edit: all(grants(GrantImplicit), responseTypes("id_token"))},
			{name: "authorization_code"},
		},
		"response-type-token": {
			{name: "token", edit: all(hybrid, responseTypes("code", "token")), at: "/response_types/1"},
			{name: "among others", edit: all(hybrid, responseTypes("id_token token code")), at: "/response_types/0"},
			{name: "id_token", edit: all(hybrid, responseTypes("code id_token", "id_token"))},
		},
		"response-type-fapi1": {
			{name: "token in Baseline", profile: ProfileFAPI1Baseline, edit: responseTypes("code", "token"), at: "/response_types/1"},
			{name: "code token in Advanced", profile: ProfileFAPI1Advanced, edit: responseTypes("code token"), at: "/response_types/0"},
			{name: "id_token alone", profile: ProfileFAPI1Advanced, edit: responseTypes("id_token"), at: "/response_types/0"},
			{name: "the two allowed", profile: ProfileFAPI1Advanced, edit: all(hybrid, responseTypes("code", "id_token code"))},
			{name: "without a profile", edit: all(hybrid, responseTypes("code", "token"))},
		},
		"response-type-fapi2": {
			{name: "hybrid in the Security Profile", profile: ProfileFAPI2Security, edit: responseTypes("code", "code id_token"), at: "/response_types/1"},
			{name: "none in Message Signing", profile: ProfileFAPI2MessageSigning, edit: responseTypes("none"), at: "/response_types/0"},
			{name: "code", profile: ProfileFAPI2Security, edit: responseTypes("code")},
			{name: "in FAPI 1.0", profile: ProfileFAPI1Advanced, edit: responseTypes("code id_token")},
		},
		"response-type-openid": {
			{name: "scopes without openid", edit: all(hybrid, responseTypes("code id_token"), scopes("profile")), at: "/response_types/0"},
			{name: "with openid", edit: all(hybrid, responseTypes("code id_token"))},
			{name: "no scopes", edit: all(hybrid, responseTypes("code id_token"), scopes())},
			{name: "code", edit: all(responseTypes("code"), scopes("profile"))},
		},
		"response-mode-unknown": {
			{name: "unknown", edit: responseModes("query", "web_message"), at: "/response_modes/1"},
			{name: "another case", edit: responseModes("JWT"), at: "/response_modes/0"},
			{name: "known to the server", edit: responseModes("web_message"), server: server("response_modes_supported", "web_message")},
			{name: "empty", edit: responseModes(""), at: "/response_modes/0"},
			{name: "each one", edit: responseModes("query", "fragment", "form_post", "jwt", "query.jwt", "fragment.jwt", "form_post.jwt")},
			{name: "unset"},
		},
		"response-mode-query": {
			{name: "query", edit: all(hybrid, responseTypes("code id_token"), responseModes("query")), at: "/response_modes"},
			{name: "query.jwt is not encrypted", edit: all(hybrid, responseTypes("code", "token"), responseModes("query", "query.jwt")), at: "/response_modes"},
			{
				name: "query beside encryption",
				edit: all(hybrid, responseTypes("token"), responseModes("query"), func(s *Settings) { s.Authorization.KeyManagement = "ECDH-ES" }), at: "/response_modes",
			},
			{name: "query.jwt is encrypted", edit: all(hybrid, responseTypes("token"), responseModes("query.jwt"), func(s *Settings) { s.Authorization.KeyManagement = "ECDH-ES" })},
			{name: "another mode", edit: all(hybrid, responseTypes("code id_token"), responseModes("query", "form_post"))},
			{name: "the default of the response type", edit: all(hybrid, responseTypes("code id_token"), responseModes("jwt"))},
			{name: "code", edit: all(responseTypes("code"), responseModes("query"))},
			{name: "unset", edit: all(hybrid, responseTypes("code id_token"))},
		},
		"jarm-unused": {
			{name: "signed", edit: all(responseModes("query"), func(s *Settings) { s.Authorization.Signing = "PS256" }), at: "/response_modes"},
			{name: "encrypted", edit: all(responseModes("query"), func(s *Settings) { s.Authorization.KeyManagement = "ECDH-ES" }), at: "/response_modes"},
			{name: "a jwt mode", edit: all(responseModes("query", "query.jwt"), func(s *Settings) { s.Authorization.Signing = "PS256" })},
			{name: "no modes", edit: func(s *Settings) { s.Authorization.Signing = "PS256" }},
			{name: "no algorithm", edit: responseModes("query")},
		},
		"application-type-unknown": {
			{name: "unknown", edit: application("desktop"), at: "/application_type"},
			{name: "another case", edit: application("Web"), at: "/application_type"},
			{name: "web", edit: application(ApplicationWeb)},
			{name: "native", edit: application(ApplicationNative)},
			{name: "unset"},
		},
		"application-type-web-implicit": {
			{name: "http", edit: all(hybrid, application(ApplicationWeb), redirect("https://a.example/", "http://127.0.0.1/")), at: "/redirect_uris/1"},
			{name: "localhost", edit: all(hybrid, application(ApplicationWeb), redirect("https://LocalHost/cb")), at: "/redirect_uris/0"},
			{name: "localhost, no type", edit: all(hybrid, redirect("https://localhost/cb")), at: "/redirect_uris/0", level: Warning},
			{name: "http, no type", edit: all(grants(GrantImplicit), redirect("http://127.0.0.1/")), at: "/redirect_uris/0", level: Warning},
			{name: "native", edit: all(hybrid, application(ApplicationNative), redirect("http://localhost/cb"))},
			{name: "without implicit", edit: all(application(ApplicationWeb), redirect("http://localhost/cb"))},
			{name: "https", edit: all(hybrid, application(ApplicationWeb))},
		},
		"application-type-web-private": {
			{name: "custom scheme", edit: all(application(ApplicationWeb), redirect("https://a.example/", "com.example.app:/cb")), at: "/redirect_uris/1"},
			{name: "loopback", edit: all(application(ApplicationWeb), redirect("http://127.0.0.1/")), at: "/redirect_uris/0", level: Warning},
			{name: "https localhost", edit: all(application(ApplicationWeb), redirect("https://localhost/")), at: "/redirect_uris/0", level: Warning},
			{name: "unset", edit: redirect("com.example.app:/cb", "http://127.0.0.1/")},
			{name: "native", edit: all(application(ApplicationNative), redirect("com.example.app:/cb"))},
			{name: "https", edit: application(ApplicationWeb)},
		},
		"application-type-native-https": {
			{name: "https", edit: public(application(ApplicationNative), redirect("com.example.app:/cb", "https://app.example.com/cb")), at: "/redirect_uris/1"},
			{name: "loopback", edit: public(application(ApplicationNative), redirect("http://127.0.0.1/", "com.example.app:/cb"))},
			{name: "web", edit: application(ApplicationWeb)},
			{name: "unset"},
		},
		"application-type-native-confidential": {
			{name: "confidential", edit: application(ApplicationNative), at: "/application_type"},
			{name: "public", edit: public(application(ApplicationNative))},
			{name: "unset"},
		},
	}
}

func TestWordSetsIgnoreTheOrderOfTheWords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.SampledFrom([]string{"code", "id_token", "token", ""}), 1, 5).Draw(t, "words")
		join := func(list []string) string { return strings.Join(list, " ") }
		set := wordsOf(join(words))
		assert.Equal(t, set, wordsOf(join(rapid.Permutation(words).Draw(t, "another order"))))
		assert.Equal(t, set, wordsOf(string(set)), "it is in its final form")
		distinct := map[string]bool{}
		for _, word := range words {
			assert.True(t, set.has(word))
			distinct[word] = true
		}
		assert.Equal(t, len(distinct), set.len())
		assert.False(t, set.has("cod"))
	})
}
