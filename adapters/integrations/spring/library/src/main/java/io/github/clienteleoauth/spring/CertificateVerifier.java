package io.github.clienteleoauth.spring;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;

import com.fasterxml.jackson.databind.JsonNode;
import com.nimbusds.jose.jwk.JWK;

import org.springframework.security.oauth2.core.ClientAuthenticationMethod;
import org.springframework.security.oauth2.core.OAuth2AuthenticationException;
import org.springframework.security.oauth2.core.OAuth2Error;
import org.springframework.security.oauth2.core.OAuth2ErrorCodes;
import org.springframework.security.oauth2.server.authorization.authentication.OAuth2ClientAuthenticationContext;
import org.springframework.security.oauth2.server.authorization.authentication.OAuth2ClientAuthenticationToken;

/**
 * Compares the certificate of a client with its current settings (RFC 8705 §2). Spring's own
 * verifier knows the subject DN only, and keeps the keys of a client for five minutes.
 */
final class CertificateVerifier implements Consumer<OAuth2ClientAuthenticationContext> {

	/** Fields of a client and the types of alternative names in a certificate (RFC 5280 §4.2.1.6). */
	private static final List<Alternative> ALTERNATIVES = List.of(new Alternative("tls_client_auth_san_email", 1),
			new Alternative("tls_client_auth_san_dns", 2), new Alternative("tls_client_auth_san_uri", 6),
			new Alternative("tls_client_auth_san_ip", 7));

	private final ClienteleMirror mirror;

	private final ClientKeys keys;

	CertificateVerifier(ClienteleMirror mirror, ClientKeys keys) {
		this.mirror = mirror;
		this.keys = keys;
	}

	@Override
	public void accept(OAuth2ClientAuthenticationContext context) {
		OAuth2ClientAuthenticationToken authentication = context.getAuthentication();
		X509Certificate certificate = ((X509Certificate[]) authentication.getCredentials())[0];
		ClienteleClient client = this.mirror.find(context.getRegisteredClient().getClientId());
		boolean selfSigned = ClientAuthenticationMethod.SELF_SIGNED_TLS_CLIENT_AUTH
			.equals(authentication.getClientAuthenticationMethod());
		if (client == null || !(selfSigned ? isRegistered(client, certificate)
				: hasName(client.document(), context.getRegisteredClient()
					.getClientSettings()
					.getX509CertificateSubjectDN(), certificate))) {
			throw new OAuth2AuthenticationException(new OAuth2Error(OAuth2ErrorCodes.INVALID_CLIENT,
					"Client authentication failed: certificate", "https://datatracker.ietf.org/doc/html/rfc8705#section-2"));
		}
	}

	private boolean isRegistered(ClienteleClient client, X509Certificate certificate) {
		byte[] key = certificate.getPublicKey().getEncoded();
		for (JWK jwk : this.keys.get(client, null).getKeys()) {
			List<X509Certificate> chain = jwk.getParsedX509CertChain();
			if (chain != null && !chain.isEmpty() && Arrays.equals(key, chain.get(0).getPublicKey().getEncoded())) {
				return true;
			}
		}
		return false;
	}

	private static boolean hasName(JsonNode document, String subject, X509Certificate certificate) {
		if (subject != null) {
			return certificate.getSubjectX500Principal().getName().equals(subject);
		}
		Collection<List<?>> names;
		try {
			names = certificate.getSubjectAlternativeNames();
		}
		catch (CertificateParsingException ex) {
			return false;
		}
		for (Alternative alternative : ALTERNATIVES) {
			String expected = document.path(alternative.field).asText();
			if (!expected.isEmpty()) {
				return names != null && names.stream()
					.anyMatch((name) -> Integer.valueOf(alternative.type).equals(name.get(0))
							&& name.get(1) instanceof String value && alternative.matches(expected, value));
			}
		}
		return false;
	}

	private record Alternative(String field, int type) {

		boolean matches(String expected, String value) {
			return switch (this.type) {
				case 2 -> expected.toLowerCase(Locale.ROOT).equals(value.toLowerCase(Locale.ROOT));
				case 7 -> address(expected).equals(address(value));
				default -> expected.equals(value);
			};
		}

		/** Brings addresses into one form; the text of a certificate and of the registry are literals, never names. */
		private static Object address(String literal) {
			if (!literal.matches("[0-9.]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*")) {
				return literal;
			}
			try {
				return InetAddress.getByName(literal);
			}
			catch (UnknownHostException ex) {
				return literal;
			}
		}

	}

}
