package io.github.clienteleoauth.spring;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

import javax.security.auth.x500.X500Principal;

import com.fasterxml.jackson.databind.JsonNode;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;

import org.springframework.security.oauth2.core.AuthorizationGrantType;
import org.springframework.security.oauth2.core.ClientAuthenticationMethod;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClient;
import org.springframework.security.oauth2.server.authorization.settings.ClientSettings;
import org.springframework.security.oauth2.server.authorization.settings.OAuth2TokenFormat;
import org.springframework.security.oauth2.server.authorization.settings.TokenSettings;

/** Makes a RegisteredClient of a document in the standard names with effective values. */
final class RegisteredClientMapper {

	private static final Log logger = LogFactory.getLog(RegisteredClientMapper.class);

	/** The methods of Spring Authorization Server, but for client_secret_jwt, which needs the secret itself. */
	private static final Map<String, ClientAuthenticationMethod> METHODS = Map.of("client_secret_basic",
			ClientAuthenticationMethod.CLIENT_SECRET_BASIC, "client_secret_post",
			ClientAuthenticationMethod.CLIENT_SECRET_POST, "private_key_jwt",
			ClientAuthenticationMethod.PRIVATE_KEY_JWT, "tls_client_auth", ClientAuthenticationMethod.TLS_CLIENT_AUTH,
			"self_signed_tls_client_auth", ClientAuthenticationMethod.SELF_SIGNED_TLS_CLIENT_AUTH, "none",
			ClientAuthenticationMethod.NONE);

	/** Settings that protect a client and that Spring Authorization Server does not apply. */
	private static final List<String> NOT_APPLIED = List.of("require_pushed_authorization_requests",
			"require_signed_request_object", "request_object_signing_alg", "dpop_bound_access_tokens",
			"id_token_encrypted_response_alg", "userinfo_signed_response_alg", "userinfo_encrypted_response_alg",
			"introspection_encrypted_response_alg", "authorization_encrypted_response_alg", "response_modes",
			"subject_type", "require_auth_time", "default_max_age", "default_acr_values", "resources",
			"backchannel_logout_uri", "frontchannel_logout_uri");

	private final OAuth2TokenFormat accessTokenFormat;

	private final List<ClienteleRegisteredClientCustomizer> customizers;

	RegisteredClientMapper(OAuth2TokenFormat accessTokenFormat, List<ClienteleRegisteredClientCustomizer> customizers) {
		this.accessTokenFormat = accessTokenFormat;
		this.customizers = customizers;
	}

	/** Returns the client as Spring sees it, or null, with a warning, if the server cannot serve it. */
	RegisteredClient map(ClienteleClient client) {
		return client.derive(RegisteredClient.class, this::mapOrReject);
	}

	private RegisteredClient mapOrReject(ClienteleClient client) {
		try {
			JsonNode document = client.document();
			RegisteredClient registered = build(client, document);
			List<String> notApplied = notApplied(document);
			if (!notApplied.isEmpty()) {
				logger.warn("Client " + client + " has settings that this server does not apply: " + notApplied);
			}
			return registered;
		}
		catch (IllegalArgumentException ex) {
			logger.warn("Client " + client + " cannot be served: " + ex.getMessage());
			return null;
		}
	}

	private RegisteredClient build(ClienteleClient client, JsonNode document) {
		RegisteredClient.Builder builder = RegisteredClient.withId(Copy.idOf(client.clientId()))
			.clientId(client.clientId())
			.clientName(document.path("client_name").asText(client.clientId()))
			.clientIdIssuedAt(Instant.ofEpochSecond(document.path("client_id_issued_at").asLong()))
			.redirectUris((uris) -> uris.addAll(strings(document, "redirect_uris")))
			.postLogoutRedirectUris((uris) -> uris.addAll(strings(document, "post_logout_redirect_uris")))
			.scopes((scopes) -> scopes.addAll(words(document, "scope")));
		for (String grant : strings(document, "grant_types")) {
			builder.authorizationGrantType(new AuthorizationGrantType(grant));
		}
		List<String> methods = strings(document, "client_auth_methods");
		List<ClientAuthenticationMethod> known = methods.stream().filter(METHODS::containsKey).map(METHODS::get).toList();
		if (known.isEmpty()) { // Spring's builder would make it client_secret_basic
			throw new IllegalArgumentException("none of its authentication methods is supported: " + methods);
		}
		known.forEach(builder::clientAuthenticationMethod);
		if (methods.contains("client_secret_basic") || methods.contains("client_secret_post")) {
			builder.clientSecret(ClienteleSecretEncoder.reference(client.clientId()));
		}
		builder.clientSettings(clientSettings(document, known)).tokenSettings(tokenSettings(document));
		this.customizers.forEach((customizer) -> customizer.customize(client, builder));
		return builder.build();
	}

	private static ClientSettings clientSettings(JsonNode document, List<ClientAuthenticationMethod> methods) {
		boolean isPublic = methods.equals(List.of(ClientAuthenticationMethod.NONE));
		ClientSettings.Builder settings = ClientSettings.builder()
			.requireProofKey(isPublic || document.path("require_pkce").asBoolean())
			.requireAuthorizationConsent(!document.path("skip_consent").asBoolean());
		if (methods.contains(ClientAuthenticationMethod.PRIVATE_KEY_JWT)) {
			// Spring takes a client without an algorithm for one of client_secret_jwt. Which
			// algorithms an assertion may have is up to AssertionDecoderFactory.
			settings.tokenEndpointAuthenticationSigningAlgorithm(
					algorithm(document, "token_endpoint_auth_signing_alg", SignatureAlgorithm.RS256));
		}
		String keys = document.path("jwks_uri").asText();
		if (!keys.isEmpty()) {
			settings.jwkSetUrl(keys);
		}
		String subject = document.path("tls_client_auth_subject_dn").asText();
		if (!subject.isEmpty()) {
			// The form that certificates have, which is compared as text.
			settings.x509CertificateSubjectDN(new X500Principal(subject).getName());
		}
		return settings.build();
	}

	private TokenSettings tokenSettings(JsonNode document) {
		TokenSettings.Builder settings = TokenSettings.builder()
			.accessTokenFormat(this.accessTokenFormat)
			.idTokenSignatureAlgorithm(algorithm(document, "id_token_signed_response_alg", SignatureAlgorithm.RS256))
			.x509CertificateBoundAccessTokens(document.path("tls_client_certificate_bound_access_tokens").asBoolean());
		long accessToken = document.path("access_token_lifetime").asLong();
		if (accessToken > 0) {
			settings.accessTokenTimeToLive(Duration.ofSeconds(accessToken));
		}
		long refreshToken = document.path("refresh_token_lifetime").asLong();
		if (refreshToken > 0) {
			settings.refreshTokenTimeToLive(Duration.ofSeconds(refreshToken));
		}
		switch (document.path("refresh_token_rotation").asText()) {
			case "rotate" -> settings.reuseRefreshTokens(false);
			case "reuse" -> settings.reuseRefreshTokens(true);
			default -> { // the default of the server
			}
		}
		return settings.build();
	}

	private static SignatureAlgorithm algorithm(JsonNode document, String field, SignatureAlgorithm otherwise) {
		String name = document.path(field).asText();
		if (name.isEmpty()) {
			return otherwise;
		}
		SignatureAlgorithm algorithm = SignatureAlgorithm.from(name);
		if (algorithm == null) {
			throw new IllegalArgumentException("this server does not support the " + field + " " + name);
		}
		return algorithm;
	}

	private static List<String> notApplied(JsonNode document) {
		List<String> fields = new ArrayList<>();
		for (String field : NOT_APPLIED) {
			JsonNode value = document.path(field);
			boolean set = (value.isBoolean()) ? value.booleanValue() : value.size() > 0 || value.isNumber()
					|| value.isTextual() && !value.textValue().equals("public") && !value.textValue().equals("none");
			if (set) {
				fields.add(field);
			}
		}
		return fields;
	}

	static List<String> strings(JsonNode document, String field) {
		List<String> strings = new ArrayList<>();
		document.path(field).forEach((element) -> strings.add(element.asText()));
		return strings;
	}

	private static List<String> words(JsonNode document, String field) {
		String text = document.path(field).asText();
		return text.isEmpty() ? List.of() : List.of(text.split(" "));
	}

}
