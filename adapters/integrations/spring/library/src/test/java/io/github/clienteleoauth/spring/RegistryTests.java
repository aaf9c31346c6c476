package io.github.clienteleoauth.spring;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Callable;

import com.fasterxml.jackson.databind.JsonNode;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/** The registry and the server, both as they are. Each change must be enforced within a second. */
@Tag("registry")
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class RegistryTests {

	private static final String CALLBACK = "https://app.example.com/cb";

	private static final Map<String, String> CREDENTIALS = Map.of("grant_type", "client_credentials", "scope",
			"payments");

	private static final String ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

	@TempDir
	static Path directory;

	private static RegistryProcess registry;

	private static ConfigurableApplicationContext context;

	private static String issuer;

	private Browser browser = new Browser(issuer);

	@BeforeAll
	static void start() throws IOException {
		registry = new RegistryProcess(directory);
		registry.start();
		issuer = "http://127.0.0.1:" + RegistryProcess.freePort();
		startServer();
	}

	private static void startServer() {
		context = new SpringApplicationBuilder(ServerTests.Defaults.class)
			.properties("server.port=" + issuer.substring(issuer.lastIndexOf(':') + 1), "server.address=127.0.0.1",
					"spring.security.oauth2.authorizationserver.issuer=" + issuer, "spring.main.banner-mode=off",
					"spring.security.user.name=alice", "spring.security.user.password=password",
					"clientele.url=" + registry.url(), "clientele.token-file=" + registry.tokenFile(),
					"clientele.file=" + directory.resolve("mirror.ndjson"))
			.run();
	}

	@AfterAll
	static void stop() {
		context.close();
		registry.close();
	}

	/** Waits until the condition holds, which must take less than a second, and reports how long. */
	private static void within1s(String what, Callable<Boolean> condition) {
		long start = System.nanoTime();
		await(what).pollDelay(Duration.ZERO)
			.pollInterval(Duration.ofMillis(2))
			.atMost(Duration.ofSeconds(1))
			.until(condition);
		System.out.println(what + ": " + (System.nanoTime() - start) / 1_000_000 + " ms");
	}

	private int token(String clientId, String secret) {
		Browser.Response response = this.browser.token(clientId, secret, CREDENTIALS);
		if (response.status() == 401) {
			assertThat(response.error()).isEqualTo("invalid_client");
		}
		return response.status();
	}

	private static String create(String clientId, String settings) {
		JsonNode data = registry.call("POST", "/clients", "{'client_id':'" + clientId + "','name':'" + clientId + "'" + settings
				+ "}");
		ClienteleMirror mirror = context.getBean(ClienteleMirror.class);
		within1s("created", () -> mirror.find(clientId) != null);
		return data.path("client_secret").asText();
	}

	private static String createMachine(String clientId) {
		return create(clientId, ",'grant_types':['client_credentials'],'scopes':['payments']");
	}

	private static Map<String, String> authorization(String clientId) {
		Map<String, String> parameters = new LinkedHashMap<>();
		parameters.put("response_type", "code");
		parameters.put("client_id", clientId);
		parameters.put("redirect_uri", CALLBACK);
		parameters.put("scope", "openid profile payments");
		parameters.put("state", "s");
		parameters.put("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"); // RFC 7636, appendix B
		parameters.put("code_challenge_method", "S256");
		return parameters;
	}

	private static Map<String, String> exchange(String code) {
		return Map.of("grant_type", "authorization_code", "code", code, "redirect_uri", CALLBACK, "code_verifier",
				"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
	}

	private static String code(Browser.Response response) {
		String location = response.http().headers().firstValue("Location").orElse("");
		assertThat(location).startsWith(CALLBACK).contains("code=");
		return location.replaceAll(".*[?&]code=([^&]*).*", "$1");
	}

	@Test
	void codeWithPkceAndChangedRedirectUri() {
		create("public", ",'is_confidential':false,'client_auth_methods':['none'],'redirect_uris':['" + CALLBACK
				+ "'],'scopes':['openid','profile','payments'],'require_pkce':true");
		String code = code(this.browser.authorize(authorization("public")));
		JsonNode tokens = this.browser.token("public", null, exchange(code)).json();
		assertThat(tokens.path("id_token").asText()).isNotEmpty();
		Browser.Response user = this.browser.userInfo(tokens.path("access_token").asText());
		assertThat(user.json().path("sub").asText()).isEqualTo("alice");

		Map<String, String> withoutPkce = authorization("public");
		withoutPkce.remove("code_challenge");
		assertThat(this.browser.get("/oauth2/authorize?" + Browser.form(withoutPkce)).http().headers()
			.firstValue("Location")).hasValueSatisfying((location) -> assertThat(location).contains("invalid_request"));

		registry.update("public", "{'redirect_uris':['https://app.example.com/other']}");
		within1s("redirect URI changed", () -> this.browser
			.get("/oauth2/authorize?" + Browser.form(authorization("public")))
			.status() == 400);
	}

	@Test
	void confidentialClientWithRefreshAndSuspension() {
		String secret = create("web", ",'redirect_uris':['" + CALLBACK
				+ "'],'grant_types':['authorization_code','refresh_token','client_credentials'],'scopes':['openid','profile','payments'],'require_pkce':true");
		JsonNode tokens = this.browser
			.token("web", secret, exchange(code(this.browser.authorize(authorization("web")))))
			.json();
		Map<String, String> refresh = Map.of("grant_type", "refresh_token", "refresh_token",
				tokens.path("refresh_token").asText());
		assertThat(this.browser.token("web", secret, refresh).status()).isEqualTo(200);

		registry.update("web", "{'status':'suspended'}");
		within1s("suspended", () -> this.browser.token("web", secret, refresh).status() == 401);
		assertThat(this.browser.get("/oauth2/authorize?" + Browser.form(authorization("web"))).status()).isEqualTo(400);
		registry.update("web", "{'status':'active'}");
		within1s("active again", () -> this.browser.token("web", secret, refresh).status() == 200);
	}

	@Test
	void wrongSecretRotationAndGrace() {
		String first = createMachine("machine");
		assertThat(token("machine", first)).isEqualTo(200);
		assertThat(token("machine", first + "x")).isEqualTo(401);
		String second = registry.call("POST", "/clients/machine/rotate-secret", "{'grace_seconds':0}")
			.path("new_secret")
			.asText();
		within1s("rotated", () -> token("machine", first) == 401 && token("machine", second) == 200);

		Instant end = Instant.now().plusSeconds(2);
		String third = registry.call("POST", "/clients/machine/rotate-secret", "{'grace_seconds':2}")
			.path("new_secret")
			.asText();
		assertThat(token("machine", third)).isEqualTo(200);
		assertThat(token("machine", second)).isEqualTo(200);
		await().pollInterval(Duration.ofMillis(5))
			.atMost(Duration.ofSeconds(4))
			.until(() -> token("machine", second) == 401);
		long late = Duration.between(end, Instant.now()).toMillis();
		System.out.println("grace over: " + late + " ms after its end");
		assertThat(late).isBetween(-500L, 1000L);
		assertThat(token("machine", third)).isEqualTo(200);
	}

	@Test
	void deletedAndRestored() {
		String secret = createMachine("gone");
		assertThat(token("gone", secret)).isEqualTo(200);
		registry.call("DELETE", "/clients/gone", null);
		within1s("deleted", () -> token("gone", secret) == 401);
		registry.call("POST", "/clients/gone/restore", null);
		within1s("restored", () -> token("gone", secret) == 200);
	}

	@Test
	void aClientIdWithSpecialCharacters() {
		JsonNode data = registry.call("POST", "/clients",
				"{'client_id':'urn:example:a b/c+d@e','name':'x','grant_types':['client_credentials'],'scopes':['payments']}");
		String secret = data.path("client_secret").asText();
		within1s("created", () -> token("urn:example:a b/c+d@e", secret) == 200);
	}

	private static String keys(ECKey key) {
		return new JWKSet(List.of(key.toPublicJWK())).toString(true).replace("\"", "\\\"");
	}

	private int tokenByKey(ECKey key) {
		try {
			SignedJWT assertion = new SignedJWT(new JWSHeader.Builder(JWSAlgorithm.ES256).keyID(key.getKeyID()).build(),
					new JWTClaimsSet.Builder().issuer("key")
						.subject("key")
						.audience(issuer)
						.jwtID(UUID.randomUUID().toString())
						.expirationTime(Date.from(Instant.now().plusSeconds(60)))
						.build());
			assertion.sign(new ECDSASigner(key));
			Map<String, String> fields = new LinkedHashMap<>(CREDENTIALS);
			fields.put("client_assertion_type", ASSERTION_TYPE);
			fields.put("client_assertion", assertion.serialize());
			return this.browser.token("key", null, fields).status();
		}
		catch (Exception ex) {
			throw new IllegalStateException(ex);
		}
	}

	@Test
	void revokedKey() throws Exception {
		ECKey first = new ECKeyGenerator(Curve.P_256).keyID("1").generate();
		ECKey second = new ECKeyGenerator(Curve.P_256).keyID("2").generate();
		create("key", ",'grant_types':['client_credentials'],'scopes':['payments'],'client_auth_methods':['private_key_jwt'],'jwks':'"
				+ keys(first) + "'");
		assertThat(tokenByKey(first)).isEqualTo(200);
		registry.update("key", "{'jwks':'" + keys(second) + "'}");
		within1s("key revoked", () -> tokenByKey(first) == 401 && tokenByKey(second) == 200);
	}

	@Test
	void theServerAsIssuerOfTheTokens(@TempDir Path other) throws IOException {
		String server = "http://127.0.0.1:" + RegistryProcess.freePort();
		try (RegistryProcess registryOfIssuer = new RegistryProcess(other)) {
			registryOfIssuer.run("--issuer", server, "--issuer-keys", server + "/oauth2/jwks");
			try (ConfigurableApplicationContext issuerContext = new SpringApplicationBuilder(
					ReadmeSnippets.OwnTokens.class)
				.properties("server.port=" + server.substring(server.lastIndexOf(':') + 1), "server.address=127.0.0.1",
						"spring.security.oauth2.authorizationserver.issuer=" + server, "spring.main.banner-mode=off",
						"clientele.url=" + registryOfIssuer.url(), "clientele.startup-timeout=0s")
				.run()) {
				ClienteleMirror mirror = issuerContext.getBean(ClienteleMirror.class);
				await().atMost(Duration.ofSeconds(30))
					.untilAsserted(() -> assertThat(mirror.health().lastError()).isNull());
				assertThat(mirror.health().usable()).isTrue();
			}
		}
	}

	@Test
	@Order(Order.DEFAULT + 1)
	void outageAndRestartWithoutTheRegistry() throws Exception {
		String secret = createMachine("outage");
		create("public2", ",'is_confidential':false,'client_auth_methods':['none'],'redirect_uris':['" + CALLBACK
				+ "'],'scopes':['openid','profile','payments'],'require_pkce':true,'skip_consent':true");
		ECKey key = new ECKeyGenerator(Curve.P_256).keyID("1").generate();
		registry.update("key", "{'jwks':'" + keys(key) + "'}");
		within1s("key changed", () -> tokenByKey(key) == 200);
		assertThat(token("outage", secret)).isEqualTo(200);

		registry.kill();
		withoutTheRegistry(secret, key);
		context.close();
		startServer();
		this.browser = new Browser(issuer);
		withoutTheRegistry(secret, key);

		registry.start();
		registry.update("outage", "{'status':'suspended'}");
		within1s("suspended after the outage", () -> token("outage", secret) == 401);
		registry.update("outage", "{'status':'active'}");
		within1s("active after the outage", () -> token("outage", secret) == 200);
	}

	private void withoutTheRegistry(String secret, ECKey key) {
		assertThat(token("outage", secret + "x")).isEqualTo(503);
		assertThat(tokenByKey(key)).isEqualTo(200);
		String code = code(this.browser.authorize(authorization("public2")));
		assertThat(this.browser.token("public2", null, exchange(code)).status()).isEqualTo(200);
	}

}
