package io.github.clienteleoauth.spring;

import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;

import com.fasterxml.jackson.databind.node.ObjectNode;
import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSSigner;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.PlainJWT;
import com.nimbusds.jwt.SignedJWT;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import org.springframework.security.oauth2.jwt.JwtException;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClient;
import org.springframework.security.oauth2.server.authorization.context.AuthorizationServerContext;
import org.springframework.security.oauth2.server.authorization.context.AuthorizationServerContextHolder;
import org.springframework.security.oauth2.server.authorization.settings.AuthorizationServerSettings;
import org.springframework.security.oauth2.server.authorization.settings.OAuth2TokenFormat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

class AssertionDecoderFactoryTests {

	private static final String ISSUER = "https://as.example.com";

	private final RegisteredClientMapper mapper = new RegisteredClientMapper(OAuth2TokenFormat.SELF_CONTAINED,
			List.of());

	private FakeRegistry registry;

	private ClienteleMirror mirror;

	private AssertionDecoderFactory factory;

	private ECKey key;

	private int count;

	@BeforeEach
	void start() throws Exception {
		this.key = new ECKeyGenerator(Curve.P_256).keyID("1").generate();
		this.registry = new FakeRegistry();
		this.registry.put(client(this.key));
		this.mirror = ClienteleMirror.builder(this.registry.url(), () -> "token").build();
		this.mirror.start();
		Clock clock = Clock.systemUTC();
		this.factory = new AssertionDecoderFactory(this.mirror, new ClientKeys(Set.of(), clock), new UsedAssertions(),
				clock);
		AuthorizationServerSettings settings = AuthorizationServerSettings.builder().issuer(ISSUER).build();
		AuthorizationServerContextHolder.setContext(new AuthorizationServerContext() {

			@Override
			public String getIssuer() {
				return ISSUER;
			}

			@Override
			public AuthorizationServerSettings getAuthorizationServerSettings() {
				return settings;
			}

		});
	}

	@AfterEach
	void stop() {
		AuthorizationServerContextHolder.resetContext();
		this.mirror.close();
		this.registry.close();
	}

	private static ObjectNode client(ECKey... keys) throws IOException {
		ObjectNode client = FakeRegistry.client("a");
		client.putArray("client_auth_methods").add("private_key_jwt");
		client.set("jwks", FakeRegistry.json(new JWKSet(List.of(keys)).toString(true)));
		return client;
	}

	private void change(ObjectNode client) {
		long before = this.mirror.findById("a").revision();
		this.registry.put(client);
		await().until(() -> this.mirror.findById("a").revision() > before);
	}

	private JWTClaimsSet.Builder claims() {
		this.count++;
		return new JWTClaimsSet.Builder().issuer("a")
			.subject("a")
			.audience(ISSUER + "/oauth2/token")
			.expirationTime(Date.from(Instant.now().plusSeconds(60)))
			.jwtID("jti-" + this.count);
	}

	private static String sign(ECKey key, JWTClaimsSet.Builder claims) throws Exception {
		return sign(new ECDSASigner(key), new JWSHeader.Builder(JWSAlgorithm.ES256).keyID(key.getKeyID()), claims);
	}

	private static String sign(JWSSigner signer, JWSHeader.Builder header, JWTClaimsSet.Builder claims)
			throws Exception {
		SignedJWT jwt = new SignedJWT(header.build(), claims.build());
		jwt.sign(signer);
		return jwt.serialize();
	}

	private void accepts(String assertion) {
		RegisteredClient registered = this.mapper.map(this.mirror.find("a"));
		assertThat(this.factory.createDecoder(registered).decode(assertion).getSubject()).isEqualTo("a");
	}

	private void rejects(String assertion) {
		RegisteredClient registered = this.mapper.map(this.mirror.findById("a"));
		assertThatExceptionOfType(JwtException.class)
			.isThrownBy(() -> this.factory.createDecoder(registered).decode(assertion));
	}

	@Test
	void acceptsAnAssertionOnce() throws Exception {
		String assertion = sign(this.key, claims());
		accepts(assertion);
		rejects(assertion);
		accepts(sign(this.key, claims()));
		accepts(sign(this.key, claims().audience(ISSUER)));
		accepts(sign(new ECDSASigner(this.key), new JWSHeader.Builder(JWSAlgorithm.ES256), claims()));
	}

	@ParameterizedTest
	@ValueSource(strings = { "JWT", "client-authentication+jwt" })
	void acceptsTheTypesOfAssertions(String type) throws Exception {
		accepts(sign(new ECDSASigner(this.key), new JWSHeader.Builder(JWSAlgorithm.ES256).type(new JOSEObjectType(type)),
				claims()));
	}

	@Test
	void rejectsOtherTypesKeysAndAlgorithms() throws Exception {
		rejects(sign(new ECDSASigner(this.key),
				new JWSHeader.Builder(JWSAlgorithm.ES256).type(new JOSEObjectType("at+jwt")), claims()));
		rejects(sign(new ECKeyGenerator(Curve.P_256).keyID("1").generate(), claims()));
		rejects(new PlainJWT(claims().build()).serialize());
		rejects("nonsense");
		rejects(sign(new MACSigner(this.key.toPublicKey().getEncoded()),
				new JWSHeader.Builder(JWSAlgorithm.HS256).keyID("1"), claims()));
	}

	@Test
	void rejectsWrongClaims() throws Exception {
		List<UnaryOperator<JWTClaimsSet.Builder>> wrong = List.of((c) -> c.issuer("b"), (c) -> c.subject("b"),
				(c) -> c.audience("https://other.example.com"), (c) -> c.audience((String) null),
				(c) -> c.expirationTime(null), (c) -> c.expirationTime(Date.from(Instant.now().minusSeconds(120))),
				(c) -> c.expirationTime(Date.from(Instant.now().plus(Duration.ofHours(2)))),
				(c) -> c.notBeforeTime(Date.from(Instant.now().plusSeconds(120))), (c) -> c.jwtID(null),
				(c) -> c.jwtID(""));
		for (UnaryOperator<JWTClaimsSet.Builder> change : wrong) {
			rejects(sign(this.key, change.apply(claims())));
		}
		accepts(sign(this.key, claims()));
	}

	@Test
	void aWrongAssertionDoesNotUseUpItsId() throws Exception {
		rejects(sign(this.key, claims().issuer("b")));
		this.count--;
		accepts(sign(this.key, claims()));
	}

	@Test
	void aKeyEndsWithTheChangeThatRemovesIt() throws Exception {
		accepts(sign(this.key, claims()));
		ECKey next = new ECKeyGenerator(Curve.P_256).keyID("2").generate();
		change(client(next));
		rejects(sign(this.key, claims()));
		accepts(sign(next, claims()));
	}

	@Test
	void anAlgorithmThatTheClientRequiresIsTheOnlyOne() throws Exception {
		change(client(this.key).put("token_endpoint_auth_signing_alg", "PS256"));
		rejects(sign(this.key, claims()));
		change(client(this.key).put("token_endpoint_auth_signing_alg", "ES256"));
		accepts(sign(this.key, claims()));
	}

	@Test
	void aSuspendedClientAndOneWithoutTheMethodAreRejected() throws Exception {
		ObjectNode secret = client(this.key);
		secret.putArray("client_auth_methods").add("client_secret_basic");
		change(secret);
		rejects(sign(this.key, claims()));
		change(client(this.key).put("status", "suspended"));
		rejects(sign(this.key, claims()));
		change(client(this.key));
		accepts(sign(this.key, claims()));
	}

}
