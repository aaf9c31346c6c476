package io.github.clienteleoauth.spring;

import java.time.Instant;
import java.util.List;

import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.proc.SecurityContext;

import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.jwt.JwsHeader;
import org.springframework.security.oauth2.jwt.JwtClaimsSet;
import org.springframework.security.oauth2.jwt.JwtEncoderParameters;
import org.springframework.security.oauth2.jwt.NimbusJwtEncoder;
import org.springframework.security.oauth2.server.authorization.settings.AuthorizationServerSettings;
import org.springframework.security.oauth2.server.authorization.settings.ClientSettings;

/** The code in README.md. ReadmeTests compares it, other tests run it. */
final class ReadmeSnippets {

	private ReadmeSnippets() {
	}

	@SpringBootConfiguration
	@EnableAutoConfiguration
	static class Customized {

		// snippet begin
		@Bean
		ClienteleRegisteredClientCustomizer firstParty() {
			return (client, builder) -> {
				if (client.document().path("owner").asText().equals("platform")) {
					builder.clientSettings(ClientSettings.builder().requireProofKey(true).build()); // no consent
				}
			};
		}
		// snippet end

	}

	@SpringBootConfiguration
	@EnableAutoConfiguration
	static class OwnTokens {

		// snippet begin
		@Bean
		ClienteleTokenSource clienteleTokenSource(JWKSource<SecurityContext> keys, AuthorizationServerSettings server) {
			NimbusJwtEncoder encoder = new NimbusJwtEncoder(keys);
			JwsHeader header = JwsHeader.with(SignatureAlgorithm.RS256).type("at+jwt").build();
			return () -> {
				Instant now = Instant.now();
				JwtClaimsSet claims = JwtClaimsSet.builder()
					.issuer(server.getIssuer())
					.subject("authorization-server")
					.audience(List.of("clientele"))
					.issuedAt(now)
					.expiresAt(now.plusSeconds(60))
					.claim("tenant_id", "tenant_1")
					.claim("scope", "clients:read clients:verify")
					.build();
				return encoder.encode(JwtEncoderParameters.from(header, claims)).getTokenValue();
			};
		}
		// snippet end

	}

}
