package io.github.clienteleoauth.spring;

import java.text.ParseException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Set;

import com.fasterxml.jackson.databind.JsonNode;
import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.source.ImmutableJWKSet;
import com.nimbusds.jose.proc.DefaultJOSEObjectTypeVerifier;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jwt.SignedJWT;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;

import org.springframework.security.oauth2.core.OAuth2Error;
import org.springframework.security.oauth2.core.OAuth2ErrorCodes;
import org.springframework.security.oauth2.core.OAuth2TokenValidator;
import org.springframework.security.oauth2.core.OAuth2TokenValidatorResult;
import org.springframework.security.oauth2.jwt.BadJwtException;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtDecoderFactory;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;
import org.springframework.security.oauth2.server.authorization.authentication.JwtClientAssertionDecoderFactory;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClient;

/**
 * Verifies assertions of private_key_jwt with the keys that the client has now. Spring's own
 * factory keeps the decoder of a client, and its keys for five minutes.
 */
final class AssertionDecoderFactory implements JwtDecoderFactory<RegisteredClient> {

	private static final Set<JWSAlgorithm> ASYMMETRIC = Set.of(JWSAlgorithm.RS256, JWSAlgorithm.RS384,
			JWSAlgorithm.RS512, JWSAlgorithm.PS256, JWSAlgorithm.PS384, JWSAlgorithm.PS512, JWSAlgorithm.ES256,
			JWSAlgorithm.ES384, JWSAlgorithm.ES512);

	private static final DefaultJOSEObjectTypeVerifier<SecurityContext> TYPES = new DefaultJOSEObjectTypeVerifier<>(
			JOSEObjectType.JWT, new JOSEObjectType("client-authentication+jwt"), null);

	/** An assertion is used within seconds; how long it must be remembered is limited. */
	private static final Duration MAX_LIFETIME = Duration.ofHours(1);

	private final ClienteleMirror mirror;

	private final ClientKeys keys;

	private final UsedAssertions used;

	private final Clock clock;

	AssertionDecoderFactory(ClienteleMirror mirror, ClientKeys keys, UsedAssertions used, Clock clock) {
		this.mirror = mirror;
		this.keys = keys;
		this.used = used;
		this.clock = clock;
	}

	@Override
	public JwtDecoder createDecoder(RegisteredClient registered) {
		return (assertion) -> decode(registered, assertion);
	}

	private Jwt decode(RegisteredClient registered, String assertion) {
		ClienteleClient client = this.mirror.find(registered.getClientId());
		if (client == null) {
			throw new BadJwtException("the client does not exist");
		}
		JsonNode document = client.document();
		if (!RegisteredClientMapper.strings(document, "client_auth_methods").contains("private_key_jwt")) {
			throw new BadJwtException("the client does not use private_key_jwt");
		}
		SignedJWT parsed;
		try {
			parsed = SignedJWT.parse(assertion);
		}
		catch (ParseException ex) {
			throw new BadJwtException("the assertion is not a signed JWT", ex);
		}
		JWSAlgorithm algorithm = parsed.getHeader().getAlgorithm();
		String required = document.path("token_endpoint_auth_signing_alg").asText();
		if (!ASYMMETRIC.contains(algorithm) || !required.isEmpty() && !required.equals(algorithm.getName())) {
			throw new BadJwtException("the algorithm " + algorithm + " is not allowed");
		}
		JWKSet current = this.keys.get(client, parsed.getHeader().getKeyID());
		DefaultJWTProcessor<SecurityContext> processor = new DefaultJWTProcessor<>();
		processor.setJWSTypeVerifier(TYPES);
		processor.setJWSKeySelector(new JWSVerificationKeySelector<>(algorithm, new ImmutableJWKSet<>(current)));
		processor.setJWTClaimsSetVerifier((claims, context) -> {
			// The validators below do it.
		});
		NimbusJwtDecoder decoder = new NimbusJwtDecoder(processor);
		decoder.setJwtValidator(validator(registered));
		return decoder.decode(assertion);
	}

	/** Spring's checks of iss, sub, aud and exp; after them, that the assertion is used once. */
	private OAuth2TokenValidator<Jwt> validator(RegisteredClient registered) {
		OAuth2TokenValidator<Jwt> claims = JwtClientAssertionDecoderFactory.DEFAULT_JWT_VALIDATOR_FACTORY
			.apply(registered);
		return (jwt) -> {
			OAuth2TokenValidatorResult result = claims.validate(jwt);
			if (result.hasErrors()) {
				return result;
			}
			Instant now = this.clock.instant();
			if (jwt.getExpiresAt().isAfter(now.plus(MAX_LIFETIME))) {
				return failure("exp is more than an hour ahead");
			}
			if (jwt.getId() == null || jwt.getId().isEmpty()) {
				return failure("jti is missing");
			}
			if (!this.used.add(registered.getClientId(), jwt.getId(), jwt.getExpiresAt(), now)) {
				return failure("the assertion was used before");
			}
			return OAuth2TokenValidatorResult.success();
		};
	}

	private static OAuth2TokenValidatorResult failure(String description) {
		return OAuth2TokenValidatorResult.failure(new OAuth2Error(OAuth2ErrorCodes.INVALID_CLIENT, description,
				"https://datatracker.ietf.org/doc/html/rfc7523#section-3"));
	}

}
