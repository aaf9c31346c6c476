package importer_test

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/clientfile/importer"
	"github.com/clientele-oauth/clientele/domain"
)

// keycloakClient reads a confidential Keycloak client with the given attributes, and
// fields in addition.
func keycloakClient(t *testing.T, attributes string, fields ...string) importer.Client {
	t.Helper()
	fields = append(fields, `"clientId": "a", "name": "A", "redirectUris": ["https://a.example/cb"]`, `"attributes": {`+attributes+`}`)
	return read(t, importer.Keycloak, "{"+strings.Join(fields, ", ")+"}").Clients[0]
}

// Each attribute of Keycloak sets the field with the same meaning.
func TestKeycloakAttributes(t *testing.T) {
	for attributes, want := range map[string]struct {
		field domain.Field
		value any
	}{
		`"id.token.signed.response.alg": "PS256"`:                                {domain.FieldIDTokenSigningAlg, "PS256"},
		`"id.token.encrypted.response.alg": "RSA-OAEP"`:                          {domain.FieldIDTokenEncryptionAlg, "RSA-OAEP"},
		`"id.token.encrypted.response.enc": "A256GCM"`:                           {domain.FieldIDTokenEncryption, "A256GCM"},
		`"user.info.response.signature.alg": "ES256"`:                            {domain.FieldUserInfoSigningAlg, "ES256"},
		`"user.info.encrypted.response.alg": "ECDH-ES"`:                          {domain.FieldUserInfoEncryptionAlg, "ECDH-ES"},
		`"user.info.encrypted.response.enc": "A128GCM"`:                          {domain.FieldUserInfoEncryption, "A128GCM"},
		`"authorization.signed.response.alg": "ES256"`:                           {domain.FieldAuthorizationSigningAlg, "ES256"},
		`"authorization.encrypted.response.alg": "ECDH-ES"`:                      {domain.FieldAuthorizationEncryptionAlg, "ECDH-ES"},
		`"authorization.encrypted.response.enc": "A128GCM"`:                      {domain.FieldAuthorizationEncryption, "A128GCM"},
		`"request.object.signature.alg": "ES256"`:                                {domain.FieldRequestObjectSigningAlg, "ES256"},
		`"request.object.encryption.alg": "RSA-OAEP"`:                            {domain.FieldRequestObjectEncryptionAlg, "RSA-OAEP"},
		`"request.object.encryption.enc": "A256GCM"`:                             {domain.FieldRequestObjectEncryption, "A256GCM"},
		`"request.object.required": "request or request_uri"`:                    {domain.FieldRequireSignedRequestObject, true},
		`"request.uris": "https://a.example/1##https://a.example/2"`:             {domain.FieldRequestURIs, []string{"https://a.example/1", "https://a.example/2"}},
		`"require.pushed.authorization.requests": "true"`:                        {domain.FieldRequirePAR, true},
		`"tls.client.certificate.bound.access.tokens": "true"`:                   {domain.FieldCertificateBound, true},
		`"dpop.bound.access.tokens": "true"`:                                     {domain.FieldDPoPBound, true},
		`"pkce.code.challenge.method": "S256"`:                                   {domain.FieldRequirePKCE, true},
		`"access.token.lifespan": "600"`:                                         {domain.FieldAccessTokenLifetime, int64(600)},
		`"ciba.backchannel.token.delivery.mode": "ping"`:                         {domain.FieldCIBADeliveryMode, "ping"},
		`"ciba.backchannel.client.notification.endpoint": "https://a.example/n"`: {domain.FieldCIBANotificationEndpoint, "https://a.example/n"},
		`"ciba.backchannel.auth.request.signing.alg": "ES256"`:                   {domain.FieldCIBARequestSigningAlg, "ES256"},
		`"oidc.ciba.grant.enabled": "true"`:                                      {domain.FieldGrantTypes, []string{"authorization_code", "urn:openid:params:grant-type:ciba", "refresh_token"}},
		`"standard.token.exchange.enabled": "true"`:                              {domain.FieldGrantTypes, []string{"authorization_code", "urn:ietf:params:oauth:grant-type:token-exchange", "refresh_token"}},
		`"oauth2.jwt.authorization.grant.enabled": "true"`:                       {domain.FieldGrantTypes, []string{"authorization_code", "urn:ietf:params:oauth:grant-type:jwt-bearer", "refresh_token"}},
		`"use.refresh.tokens": "false"`:                                          {domain.FieldGrantTypes, []string{"authorization_code"}},
		`"default.acr.values": "gold##silver"`:                                   {domain.FieldDefaultACRValues, []string{"gold", "silver"}},
		`"backchannel.logout.url": "https://a.example/out"`:                      {domain.FieldBackchannelLogoutURI, "https://a.example/out"},
		`"post.logout.redirect.uris": "https://a.example/bye##+"`:                {domain.FieldPostLogoutRedirectURIs, []string{"https://a.example/bye", "https://a.example/cb"}},
		`"post.logout.redirect.uris": "+##https://a.example/cb"`:                 {domain.FieldPostLogoutRedirectURIs, []string{"https://a.example/cb"}},
		`"post.logout.redirect.uris": "-"`:                                       {domain.FieldPostLogoutRedirectURIs, []string{}},
		`"post.logout.redirect.uris": ""`:                                        {domain.FieldPostLogoutRedirectURIs, []string{"https://a.example/cb"}},
		`"sectorIdentifierUri": "https://a.example/sector.json"`:                 {domain.FieldSectorIdentifierURI, "https://a.example/sector.json"},
	} {
		c := keycloakClient(t, attributes)
		assert.Equal(t, want.value, domain.Plain(c.Change.Value(want.field)), attributes)
		if !strings.Contains(attributes, "request.object.required") {
			assert.Empty(t, c.Lost, attributes)
		}
	}
}

// What Keycloak can configure and Clientele cannot is reported, with the reason.
func TestKeycloakAttributesThatAreReported(t *testing.T) {
	for attributes, line := range map[string]string{
		`"pkce.code.challenge.method": "plain"`:                                     "pkce.code.challenge.method: plain is not supported by Clientele; set require_pkce if the client can use S256",
		`"access.token.lifespan": "-1"`:                                             "access.token.lifespan: -1, the lifetime of the session, is not supported by Clientele",
		`"access.token.lifespan": "soon"`:                                           "access.token.lifespan: soon is not a positive number of seconds",
		`"access.token.lifespan": "0"`:                                              "access.token.lifespan: 0 is not a positive number of seconds",
		`"client.session.idle.timeout": "60"`:                                       "client.session.idle.timeout: the lifetime of sessions is configured in the authorization server",
		`"login_theme": "shop"`:                                                     "login_theme: logins are configured in the authorization server",
		`"acr.loa.map": "{\"gold\":2}"`:                                             "acr.loa.map: logins are configured in the authorization server",
		`"minimum.acr.value": "gold"`:                                               "minimum.acr.value: logins are configured in the authorization server",
		`"dpop.bound.access.tokens": "yes"`:                                         "dpop.bound.access.tokens: yes is neither true nor false",
		`"request.object.required": "request only"`:                                 "request.object.required: request only is converted to require_signed_request_object, which allows both",
		`"request.object.required": "sometimes"`:                                    "request.object.required: sometimes is unknown",
		`"token.endpoint.auth.signing.alg": "HS256"`:                                "token.endpoint.auth.signing.alg: is ignored: the client does not authenticate with private_key_jwt",
		`"frontchannel.logout.url": "https://a.example/"`:                           "frontchannel.logout.url: is ignored: frontchannelLogout is not set",
		`"post.logout.redirect.uris": "https://a.ex/*"`:                             "post.logout.redirect.uris: https://a.ex/* is a pattern; name each redirect URI",
		`"client.secret.rotated": "old-secret"`:                                     "client.secret.rotated: only the current secret is imported",
		`"client.secret.expiration.time": "1893456000"`:                             "client.secret.expiration.time: expiry times of secrets are not imported",
		`"standard.token.exchange.enableRefreshRequestedTokenType": "SAME_SESSION"`: "standard.token.exchange.enableRefreshRequestedTokenType: is not supported by Clientele",
		`"something.new": "x"`:                                                      "something.new: is not supported by Clientele",
	} {
		c := keycloakClient(t, attributes)
		assert.Contains(t, c.Lost, "attributes."+line)
		assert.NotContains(t, strings.Join(c.Lost, "\n"), "old-secret")
	}
}

func TestKeycloakLogout(t *testing.T) {
	c := keycloakClient(t, `"backchannel.logout.url": "https://a.example/b", "backchannel.logout.session.required": "true",
		"frontchannel.logout.url": "https://a.example/f"`, `"frontchannelLogout": true`)
	assert.Empty(t, c.Lost)
	assert.Equal(t, domain.Logout{URI: "https://a.example/b", SessionRequired: true}, c.Change.Values().BackchannelLogout)
	assert.Equal(t, domain.Logout{URI: "https://a.example/f", SessionRequired: true}, c.Change.Values().FrontchannelLogout, "Keycloak's default is true")
	c = keycloakClient(t, `"backchannel.logout.url": "https://a.example/b", "frontchannel.logout.url": "https://a.example/f", "frontchannel.logout.session.required": "false"`,
		`"frontchannelLogout": true`)
	assert.False(t, c.Change.Values().BackchannelLogout.SessionRequired, "Keycloak's default is false")
	assert.False(t, c.Change.Values().FrontchannelLogout.SessionRequired)
	c = keycloakClient(t, `"backchannel.logout.session.required": "true"`, `"frontchannelLogout": true`)
	assert.Empty(t, c.Lost, "settings of a logout without a URL have no effect")
	assert.False(t, c.Change.Values().BackchannelLogout.SessionRequired)
}

func TestKeycloakConsentSubjectsAndResponseTypes(t *testing.T) {
	assert.True(t, keycloakClient(t, ``, `"consentRequired": false`).Change.Values().SkipConsent)
	assert.False(t, keycloakClient(t, ``, `"consentRequired": true`).Change.Values().SkipConsent)
	assert.False(t, keycloakClient(t, ``).Change.Names(domain.FieldSkipConsent), "a partial export does not say it")

	c := keycloakClient(t, ``, `"protocolMappers": [{"protocolMapper": "oidc-sha256-pairwise-sub-mapper",
		"config": {"sectorIdentifierUri": "https://a.example/s.json", "pairwiseSubAlgorithmSalt": "secret-salt"}}]`)
	assert.Equal(t, domain.SubjectPairwise, c.Change.Values().SubjectType)
	assert.Equal(t, "https://a.example/s.json", c.Change.Values().SectorIdentifierURI)
	assert.Equal(t, []string{"protocolMappers: keep the salt of the pairwise subject identifiers; without it, they change"}, c.Lost)
	c = keycloakClient(t, ``, `"protocolMappers": [{"protocolMapper": "oidc-sha256-pairwise-sub-mapper"}, {"protocolMapper": "oidc-audience-mapper"}, null]`)
	assert.Equal(t, domain.SubjectPairwise, c.Change.Values().SubjectType)
	assert.Equal(t, []string{"protocolMappers: claims are configured in the authorization server"}, c.Lost)

	assert.Empty(t, keycloakClient(t, ``).Change.Values().ResponseTypes)
	assert.Equal(t, []domain.ResponseType{"id_token", "id_token token"},
		keycloakClient(t, ``, `"standardFlowEnabled": false`, `"implicitFlowEnabled": true`).Change.Values().ResponseTypes)
	assert.Equal(t, []domain.ResponseType{"id_token", "id_token token", "code", "code id_token", "code token", "code id_token token"},
		keycloakClient(t, ``, `"implicitFlowEnabled": true`).Change.Values().ResponseTypes)

	c = keycloakClient(t, ``, `"description": "${client_a}"`)
	assert.Equal(t, []string{"description: ${client_a} is the key of a translation"}, c.Lost)
}

// Each field of Clientele that client metadata can have is imported.
func TestEachFieldIsImportedFromClientMetadata(t *testing.T) {
	c := readFile(t, importer.RFC7591, "rfc7591-all.json")[0]
	for f := range domain.Fields() {
		if f != domain.FieldJWKS { // jwks_uri excludes it
			assert.True(t, c.Change.Names(f), f)
			assert.False(t, c.Change.Value(f).IsEmpty(), f)
		}
	}
	assert.Equal(t, []string{
		"client_name#fr: values for one language are not supported by Clientele; client_name is for all",
		"client_uri#de: values for one language are not supported by Clientele; client_uri is for all",
		"nfv_token_signed_response_alg: is not supported by Clientele",
		"software_statement: is not verified",
	}, c.Lost)
}

func TestNumbersThatAreNotWholeAreReported(t *testing.T) {
	c := read(t, importer.RFC7591, `{"client_id": "a", "client_name": "A", "default_max_age": 1.5, "access_token_lifetime": 1e300, "status": "ACTIVE"}`).Clients[0]
	assert.Equal(t, []string{"access_token_lifetime: is not a whole number", "default_max_age: is not a whole number", "status: is not supported by Clientele"}, c.Lost)
	assert.False(t, c.Change.Names(domain.FieldDefaultMaxAge))
}

func TestHydraFields(t *testing.T) {
	c := readFile(t, importer.Hydra, "hydra-get.json")[0]
	got := c.Change.Values()
	assert.Equal(t, []string{"https://api.example.com", "urn:example:api"}, got.Resources)
	assert.Equal(t, map[string]string{"example.com/tier": "gold"}, got.Labels)
	assert.Equal(t, "team-shop", got.Owner)
	assert.Equal(t, []int64{900, 0, 2_592_000}, []int64{got.AccessTokenLifetime, got.IDTokenLifetime, got.RefreshTokenLifetime})
	assert.True(t, got.SkipConsent)
	assert.Equal(t, domain.Logout{URI: "https://shop.example.com/back", SessionRequired: true}, got.BackchannelLogout)
	assert.Equal(t, domain.Logout{URI: "https://shop.example.com/out", SessionRequired: true}, got.FrontchannelLogout)
	assert.Equal(t, []string{
		"access_token_strategy: the format of access tokens is configured in the authorization server",
		"audience: orders is not an absolute URI, which resources must be (RFC 8707 §2)",
		"authorization_code_grant_id_token_lifespan: differs between grant types; set id_token_lifetime to the lifetime for all of them",
		"metadata.example.com/level: cannot be a label: it is not a string",
		"metadata.example.com/limits: cannot be a label: it is not a string",
		"metadata.team: cannot be a label: the name of a label is a prefix and a name, such as example.com/tier",
		"refresh_token_grant_id_token_lifespan: differs between grant types; set id_token_lifetime to the lifetime for all of them",
		"registration_access_token: clients cannot manage themselves",
		"skip_logout_consent: logout is configured in the authorization server",
	}, c.Lost)

	for lifespan, line := range map[string]string{
		`"1.5s"`: "1.5s is not a positive number of seconds", `"-1s"`: "-1s is not a positive number of seconds",
		`"0s"`: "0s is not a positive number of seconds", `"an hour"`: "an hour is not a positive number of seconds", `3600`: "has an unexpected type",
	} {
		c := read(t, importer.Hydra, `{"client_id": "a", "client_name": "A", "implicit_grant_access_token_lifespan": `+lifespan+`}`).Clients[0]
		assert.Equal(t, []string{"implicit_grant_access_token_lifespan: " + line}, c.Lost)
	}
	c = read(t, importer.Hydra, `{"client_id": "a", "client_name": "A", "metadata": {"clientele/x": "y", "a.example/`+strings.Repeat("b", 128)+`": "y", "a.example/long": "`+strings.Repeat("c", 257)+`"}}`).Clients[0]
	assert.Len(t, c.Lost, 3)
	assert.Empty(t, c.Change.Values().Labels)
}

// verifies reports whether a hash that Hydra could have written is that of the secret.
func verifies(t *testing.T, hash, secret string) bool {
	t.Helper()
	parts := strings.Split(hash, "$")
	require.Len(t, parts, 5)
	require.Equal(t, []string{"", "pbkdf2-sha256", "i=100000,l=32"}, parts[:3])
	salt, err := base64.RawStdEncoding.DecodeString(parts[3])
	require.NoError(t, err)
	require.Len(t, salt, 16)
	key, err := pbkdf2.Key(sha256.New, secret, salt, 100_000, 32)
	require.NoError(t, err)
	return base64.RawStdEncoding.EncodeToString(key) == parts[4]
}

// A plain secret becomes a hash of it, and a hash stays as it is.
func TestSecretsAreImportedAsHashes(t *testing.T) {
	c := keycloakClient(t, ``, `"secret": "very secret"`)
	assert.Empty(t, c.Lost)
	first, err := c.SecretHash()
	require.NoError(t, err)
	assert.True(t, verifies(t, first, "very secret"))
	assert.False(t, verifies(t, first, "very secre"))
	second, err := c.SecretHash()
	require.NoError(t, err)
	assert.NotEqual(t, first, second, "the salt is random")

	for _, hash := range []string{
		"$2a$10$0QG6ZqXvNELx4SsmQGpRSOAULnsq/vqCioUgYoDjPcMfSG17HgXAi",
		"$pbkdf2-sha256$i=25000,l=32$MDEyMzQ1Njc4OWFiY2RlZg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=65536,t=3,p=4$MDEyMzQ1Njc4OWFiY2RlZg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	} {
		c := read(t, importer.Hydra, `{"client_id": "a", "client_name": "A", "client_secret": "`+hash+`"}`).Clients[0]
		assert.Empty(t, c.Lost)
		got, err := c.SecretHash()
		require.NoError(t, err)
		assert.Equal(t, hash, got)
	}
	c = read(t, importer.RFC7591, `{"client_id": "a", "client_name": "A", "client_secret": "$2a$10$short", "client_secret_expires_at": 0}`).Clients[0]
	hash, err := c.SecretHash()
	require.NoError(t, err)
	assert.True(t, verifies(t, hash, "$2a$10$short"), "this is no hash")
}

// A secret that cannot be imported is reported, without its value.
func TestSecretsThatAreNotImported(t *testing.T) {
	for text, line := range map[string]string{
		`"secret": "**********"`:                                                         "secret: is masked; create a new secret, and give it to the client",
		`"secret": "${vault.secret}"`:                                                    "secret: is a placeholder; create a new secret, and give it to the client",
		`"secret": "hidden-value", "publicClient": true`:                                 "secret: is ignored: the client does not authenticate with a secret",
		`"secret": "hidden-value", "clientAuthenticatorType": "client-jwt"`:              "secret: is ignored: the client does not authenticate with a secret",
		`"secret": "hidden-value", "attributes": {"client.secret.expiration.time": "1"}`: "secret: expires; create a new secret, and give it to the client",
		`"secret": 5`: "secret: has an unexpected type",
	} {
		c := read(t, importer.Keycloak, `{"clientId": "a", "name": "A", `+text+`}`).Clients[0]
		assert.Contains(t, c.Lost, line)
		assert.NotContains(t, strings.Join(c.Lost, "\n"), "hidden-value")
		hash, err := c.SecretHash()
		require.NoError(t, err)
		assert.Empty(t, hash)
	}
	c := read(t, importer.Hydra, `{"client_id": "a", "client_name": "A", "client_secret": "hidden-value", "client_secret_expires_at": 1893456000}`).Clients[0]
	assert.Equal(t, []string{"client_secret: expires; create a new secret, and give it to the client", "client_secret_expires_at: expiry times of secrets are not imported"}, c.Lost)
}

// A client_id that Clientele rejects is converted and reported.
func TestClientIDsThatAreRejectedAreReported(t *testing.T) {
	for id, reported := range map[string]bool{
		"urn:example:app": false, "a/b": false, "my app": false, "https://app.example.com/": true, " a": true, "größe": true, "..": true,
	} {
		c := read(t, importer.Keycloak, `{"clientId": "`+id+`", "name": "A"}`).Clients[0]
		assert.Equal(t, domain.ClientID(id), c.ID)
		assert.Equal(t, reported, len(c.Lost) == 1 && strings.HasPrefix(c.Lost[0], "client_id: is rejected by Clientele: client_id "), "%s: %v", id, c.Lost)
	}
}

// A realm is imported client by client, with a line for each record that is no client.
func TestReadKeycloakRealm(t *testing.T) {
	text, err := os.ReadFile("testdata/keycloak-realm.json")
	require.NoError(t, err)
	export, err := importer.Read(importer.Keycloak, text)
	require.NoError(t, err)
	assert.Len(t, export.Clients, 20)
	assert.Len(t, export.Skipped, 8)
	assert.Empty(t, export.Problems)
	export = read(t, importer.Keycloak, fileText(t, "keycloak-realms.json"))
	assert.Len(t, export.Clients, 3)
	assert.Equal(t, []string{"realm two: shared: the client_id is there twice; only the first client is converted"}, export.Problems)
	assert.Len(t, read(t, importer.Keycloak, fileText(t, "keycloak-partial.json")).Clients, 2)
	assert.Len(t, read(t, importer.Hydra, fileText(t, "hydra-items.json")).Clients, 2)
}

func fileText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return string(text)
}

// The tables in docs/using.md name each attribute of Keycloak that is converted.
func TestDocumentationNamesEachAttribute(t *testing.T) {
	text, err := os.ReadFile("../../../docs/using.md")
	require.NoError(t, err)
	for name := range importer.MappedAttributes() {
		assert.Contains(t, string(text), "`"+name+"`")
	}
}
