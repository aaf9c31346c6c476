package io.github.clienteleoauth.spring;

import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;

import com.fasterxml.jackson.databind.node.ObjectNode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import org.springframework.security.oauth2.core.AuthorizationGrantType;
import org.springframework.security.oauth2.core.ClientAuthenticationMethod;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClient;
import org.springframework.security.oauth2.server.authorization.settings.OAuth2TokenFormat;

import static org.assertj.core.api.Assertions.assertThat;

class RegisteredClientMapperTests {

	private static ObjectNode document(String text) throws IOException {
		return (ObjectNode) FakeRegistry.json(text.replace('\'', '"'));
	}

	private static RegisteredClient map(ObjectNode document, ClienteleRegisteredClientCustomizer... customizers)
			throws IOException {
		document.put("revision", 1);
		return new RegisteredClientMapper(OAuth2TokenFormat.SELF_CONTAINED, List.of(customizers))
			.map(ClienteleClient.of(FakeRegistry.JSON.writeValueAsBytes(document), document));
	}

	@Test
	void mapsEveryFieldThatSpringHas() throws IOException {
		RegisteredClient client = map(document("""
				{'client_id': 'app-1', 'client_id_issued_at': 1776249000, 'client_name': 'My App', 'status': 'active',
				 'redirect_uris': ['https://app.example.com/a', 'https://app.example.com/b'],
				 'post_logout_redirect_uris': ['https://app.example.com/bye'],
				 'grant_types': ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
				 'scope': 'openid profile', 'token_endpoint_auth_method': 'private_key_jwt',
				 'client_auth_methods': ['private_key_jwt', 'client_secret_post', 'tls_client_auth'],
				 'token_endpoint_auth_signing_alg': 'PS256', 'id_token_signed_response_alg': 'ES256',
				 'jwks_uri': 'https://app.example.com/jwks.json', 'tls_client_auth_subject_dn': 'CN=app, O=Example,C=DE',
				 'tls_client_certificate_bound_access_tokens': true, 'require_pkce': true, 'skip_consent': true,
				 'access_token_lifetime': 900, 'refresh_token_lifetime': 86400, 'refresh_token_rotation': 'rotate'}"""));
		assertThat(client.getId()).isEqualTo("app-1");
		assertThat(client.getClientId()).isEqualTo("app-1");
		assertThat(client.getClientName()).isEqualTo("My App");
		assertThat(client.getClientIdIssuedAt()).isEqualTo(Instant.ofEpochSecond(1776249000));
		assertThat(client.getRedirectUris()).containsExactlyInAnyOrder("https://app.example.com/a",
				"https://app.example.com/b");
		assertThat(client.getPostLogoutRedirectUris()).containsExactly("https://app.example.com/bye");
		assertThat(client.getScopes()).containsExactlyInAnyOrder("openid", "profile");
		assertThat(client.getAuthorizationGrantTypes()).containsExactlyInAnyOrder(
				AuthorizationGrantType.AUTHORIZATION_CODE, AuthorizationGrantType.REFRESH_TOKEN,
				AuthorizationGrantType.DEVICE_CODE);
		assertThat(client.getClientAuthenticationMethods()).containsExactlyInAnyOrder(
				ClientAuthenticationMethod.PRIVATE_KEY_JWT, ClientAuthenticationMethod.CLIENT_SECRET_POST,
				ClientAuthenticationMethod.TLS_CLIENT_AUTH);
		assertThat(client.getClientSettings().isRequireProofKey()).isTrue();
		assertThat(client.getClientSettings().isRequireAuthorizationConsent()).isFalse();
		assertThat(client.getClientSettings().getJwkSetUrl()).isEqualTo("https://app.example.com/jwks.json");
		assertThat(client.getClientSettings().getTokenEndpointAuthenticationSigningAlgorithm())
			.isEqualTo(SignatureAlgorithm.PS256);
		assertThat(client.getClientSettings().getX509CertificateSubjectDN()).isEqualTo("CN=app,O=Example,C=DE");
		assertThat(client.getTokenSettings().getAccessTokenTimeToLive()).isEqualTo(Duration.ofSeconds(900));
		assertThat(client.getTokenSettings().getRefreshTokenTimeToLive()).isEqualTo(Duration.ofDays(1));
		assertThat(client.getTokenSettings().isReuseRefreshTokens()).isFalse();
		assertThat(client.getTokenSettings().getIdTokenSignatureAlgorithm()).isEqualTo(SignatureAlgorithm.ES256);
		assertThat(client.getTokenSettings().isX509CertificateBoundAccessTokens()).isTrue();
		assertThat(client.getTokenSettings().getAccessTokenFormat()).isEqualTo(OAuth2TokenFormat.SELF_CONTAINED);
		assertThat(client.getClientSecretExpiresAt()).isNull();
	}

	@Test
	void leavesTheDefaultsOfTheServerWhereNothingIsSet() throws IOException {
		RegisteredClient client = map(FakeRegistry.client("a"));
		assertThat(client.getClientSettings().isRequireProofKey()).isFalse();
		assertThat(client.getClientSettings().isRequireAuthorizationConsent()).isTrue();
		assertThat(client.getTokenSettings().getAccessTokenTimeToLive()).isEqualTo(Duration.ofMinutes(5));
		assertThat(client.getTokenSettings().isReuseRefreshTokens()).isTrue();
		assertThat(client.getTokenSettings().getIdTokenSignatureAlgorithm()).isEqualTo(SignatureAlgorithm.RS256);
	}

	@Test
	void aPublicClientAlwaysNeedsPkceAndHasNoSecret() throws IOException {
		ObjectNode document = FakeRegistry.client("a");
		document.putArray("client_auth_methods").add("none");
		document.putArray("grant_types").add("authorization_code");
		document.putArray("redirect_uris").add("https://app.example.com/cb");
		RegisteredClient client = map(document);
		assertThat(client.getClientSettings().isRequireProofKey()).isTrue();
		assertThat(client.getClientSecret()).isNull();
		assertThat(client.getClientAuthenticationMethods()).containsExactly(ClientAuthenticationMethod.NONE);
	}

	@ParameterizedTest
	@CsvSource(delimiter = '|', textBlock = """
			client_auth_methods          | ["client_secret_jwt"]
			client_auth_methods          | []
			grant_types                  | []
			id_token_signed_response_alg | "EdDSA"
			id_token_signed_response_alg | "none"
			redirect_uris                | ["https://app.example.com/a b"]
			tls_client_auth_subject_dn   | "not a name"
			""")
	void doesNotServeAClientThatItCannotServeAsItIs(String field, String value) throws IOException {
		ObjectNode document = FakeRegistry.client("a");
		document.set(field, FakeRegistry.json(value));
		assertThat(map(document)).isNull();
	}

	@Test
	void customizersComeLast() throws IOException {
		RegisteredClient client = map(FakeRegistry.client("a").put("owner", "team"),
				(source, builder) -> builder.clientName(source.document().path("owner").asText()));
		assertThat(client.getClientName()).isEqualTo("team");
	}

	@Test
	void theStoredSecretIsNoSecret() throws IOException {
		RegisteredClient client = map(FakeRegistry.client("a"));
		assertThat(client.getClientSecret()).isEqualTo(ClienteleSecretEncoder.reference("a"))
			.startsWith("{clientele}")
			.endsWith(":a");
		assertThat(client.getClientSecret()).hasSizeGreaterThan(64); // it has a code that cannot be guessed
		ClienteleSecretEncoder encoder = new ClienteleSecretEncoder(null); // which is not asked
		assertThat(encoder.matches("s", "{clientele}" + "0".repeat(64) + ":a")).isFalse();
		assertThat(encoder.matches("s", "a")).isFalse();
		assertThat(encoder.matches("s", null)).isFalse();
	}

}
