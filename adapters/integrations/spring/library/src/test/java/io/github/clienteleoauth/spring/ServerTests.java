package io.github.clienteleoauth.spring;

import java.io.IOException;
import java.io.InputStream;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPublicKey;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;

import com.fasterxml.jackson.databind.node.ObjectNode;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWK;
import jakarta.servlet.Filter;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import org.springframework.beans.factory.NoSuchBeanDefinitionException;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.actuate.health.HealthIndicator;
import org.springframework.boot.actuate.health.Status;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.boot.web.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;
import org.springframework.http.HttpStatus;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.crypto.password.PasswordEncoder;
import org.springframework.security.oauth2.server.authorization.client.InMemoryRegisteredClientRepository;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClient;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClientRepository;
import org.springframework.security.oauth2.core.AuthorizationGrantType;
import org.springframework.security.oauth2.server.authorization.config.annotation.web.configurers.OAuth2AuthorizationServerConfigurer;
import org.springframework.security.web.SecurityFilterChain;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

/** The auto-configuration in real servers, with a registry that fails on demand. */
class ServerTests {

	private static final Map<String, String> CREDENTIALS = Map.of("grant_type", "client_credentials");

	private FakeRegistry registry;

	private ConfigurableApplicationContext context;

	private Browser browser;

	@BeforeEach
	void startRegistry() throws IOException {
		this.registry = new FakeRegistry();
		this.registry.put(FakeRegistry.client("a"));
		this.registry.secrets.add("a:right");
	}

	@AfterEach
	void stop() {
		if (this.context != null) {
			this.context.close();
		}
		this.registry.close();
	}

	private void start(Class<?> application, String... properties) {
		this.context = new SpringApplicationBuilder(application)
			.properties("server.port=0", "server.address=127.0.0.1", "spring.main.banner-mode=off",
					"spring.security.user.name=alice", "spring.security.user.password=password",
					"clientele.url=" + this.registry.url(), "clientele.token=token", "clientele.startup-timeout=2s")
			.properties(properties)
			.run();
		this.browser = new Browser(
				"http://127.0.0.1:" + ((ServletWebServerApplicationContext) this.context).getWebServer().getPort());
	}

	private static void until(Callable<Boolean> condition) {
		await().pollInterval(Duration.ofMillis(5)).atMost(Duration.ofSeconds(10)).until(condition);
	}

	private static void isUnavailable(Browser.Response response) {
		assertThat(response.status()).isEqualTo(503);
		assertThat(response.error()).isEqualTo("temporarily_unavailable");
		assertThat(response.http().headers().firstValue("Retry-After")).isPresent();
		assertThat(response.http().headers().firstValue("Cache-Control")).hasValue("no-store");
	}

	/** Boot's own filter chains, and nothing but properties. */
	@SpringBootConfiguration
	@EnableAutoConfiguration
	static class Defaults {

	}

	@Test
	void anOutageIsNeitherAWrongSecretNorARedirect() throws IOException {
		start(Defaults.class);
		assertThat(this.browser.token("a", "right", CREDENTIALS).status()).isEqualTo(200);
		Browser.Response wrong = this.browser.token("a", "wrong", CREDENTIALS);
		assertThat(wrong.status()).isEqualTo(401);
		assertThat(wrong.error()).isEqualTo("invalid_client");

		this.registry.status = 503;
		Browser.Response unavailable = this.browser.token("a", "other", CREDENTIALS);
		isUnavailable(unavailable);
		assertThat(unavailable.http().headers().firstValue("Retry-After")).hasValue("7");
		isUnavailable(this.browser.post("/oauth2/introspect", "a", "other", Map.of("token", "x")));
		isUnavailable(this.browser.post("/oauth2/revoke", "a", "other", Map.of("token", "x")));
		assertThat(this.browser.token("unknown", "x", CREDENTIALS).error()).isEqualTo("invalid_client");

		this.registry.status = 0;
		assertThat(this.browser.token("a", "wrong", CREDENTIALS).error()).isEqualTo("invalid_client");
	}

	@Test
	void startsWithoutTheRegistryAndServesOnceItIsThere() throws IOException {
		this.registry.stop();
		start(Defaults.class, "clientele.startup-timeout=100ms");
		HealthIndicator health = this.context.getBean("clienteleHealthIndicator", HealthIndicator.class);
		assertThat(health.health().getStatus()).isEqualTo(Status.DOWN);
		assertThat(health.health().getDetails()).containsKey("lastError");
		isUnavailable(this.browser.token("a", "right", CREDENTIALS));
		isUnavailable(this.browser.get("/oauth2/authorize?response_type=code&client_id=a"));

		this.registry.startAgain();
		until(() -> Boolean.TRUE.equals(health.health().getDetails().get("following")));
		assertThat(health.health().getStatus()).isEqualTo(Status.UP);
		assertThat(health.health().getDetails()).containsEntry("clients", 1).doesNotContainKey("lastError");
		assertThat(this.browser.token("a", "right", CREDENTIALS).status()).isEqualTo(200);
	}

	@Test
	void tokensOfASuspendedOrDeletedClientAreInactive() {
		this.registry.put(FakeRegistry.client("resource"));
		this.registry.secrets.add("resource:right");
		start(Defaults.class, "clientele.access-token-format=reference");
		String token = this.browser.token("a", "right", CREDENTIALS).json().path("access_token").asText();
		assertThat(token).doesNotContain(".");
		Map<String, String> request = Map.of("token", token);
		Browser.Response active = this.browser.post("/oauth2/introspect", "resource", "right", request);
		assertThat(active.json().path("active").asBoolean()).isTrue();
		assertThat(active.json().path("client_id").asText()).isEqualTo("a");

		this.registry.put(FakeRegistry.client("a").put("status", "suspended"));
		until(() -> !introspect(request));
		this.registry.put(FakeRegistry.client("a"));
		until(() -> introspect(request));
		this.registry.delete("a");
		until(() -> !introspect(request));
		Browser.Response stranger = this.browser.post("/oauth2/introspect", "resource", "wrong", request);
		assertThat(stranger.error()).isEqualTo("invalid_client");
		assertThat(this.browser.post("/oauth2/introspect", null, null, request).status()).isEqualTo(401);
	}

	private boolean introspect(Map<String, String> request) {
		Browser.Response response = this.browser.post("/oauth2/introspect", "resource", "right", request);
		assertThat(response.status()).isEqualTo(200);
		return response.json().path("active").asBoolean();
	}

	/** What an application has of its own: filter chains, and an encoder for the passwords of users. */
	@SpringBootConfiguration
	@EnableAutoConfiguration
	static class OwnChains {

		@Bean
		@Order(1)
		SecurityFilterChain server(HttpSecurity http) throws Exception {
			OAuth2AuthorizationServerConfigurer server = OAuth2AuthorizationServerConfigurer.authorizationServer();
			return http.securityMatcher(server.getEndpointsMatcher())
				.with(server,
						(configurer) -> configurer.oidc(Customizer.withDefaults())
							.clientAuthentication((clients) -> clients
								.authenticationProviders((providers) -> assertThat(providers).hasSize(4))
								.errorResponseHandler((request, response, ex) -> response
									.sendError(HttpStatus.I_AM_A_TEAPOT.value()))))
				.authorizeHttpRequests((requests) -> requests.anyRequest().authenticated())
				.build();
		}

		@Bean
		@Order(2)
		SecurityFilterChain pages(HttpSecurity http) throws Exception {
			return http.authorizeHttpRequests((requests) -> requests.requestMatchers("/error").permitAll()
				.anyRequest().authenticated()).formLogin(Customizer.withDefaults()).build();
		}

		@Bean
		PasswordEncoder passwordEncoder() {
			return new PasswordEncoder() {

				@Override
				public String encode(CharSequence password) {
					return password.toString();
				}

				@Override
				public boolean matches(CharSequence password, String encoded) {
					return encoded.contentEquals(password);
				}

			};
		}

		/** What a proxy or Tomcat does for a connection with a client certificate. */
		@Bean
		FilterRegistrationBean<Filter> certificates() {
			FilterRegistrationBean<Filter> first = new FilterRegistrationBean<>((request, response, chain) -> {
				String certificate = request.getParameter("test_certificate");
				if (certificate != null) {
					request.setAttribute("jakarta.servlet.request.X509Certificate",
							certificate.startsWith("issued:")
									? new X509Certificate[] { certificate(certificate.substring(7)), certificate("other.pem") }
									: new X509Certificate[] { certificate(certificate) });
				}
				chain.doFilter(request, response);
			});
			first.setOrder(Ordered.HIGHEST_PRECEDENCE);
			return first;
		}

	}

	static X509Certificate certificate(String name) {
		try (InputStream in = ServerTests.class.getResourceAsStream("/" + name)) {
			return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in);
		}
		catch (Exception ex) {
			throw new IllegalStateException(ex);
		}
	}

	@Test
	void leavesTheChainsAndTheEncoderOfTheApplicationAlone() throws IOException {
		start(OwnChains.class);
		assertThat(this.browser.token("a", "right", CREDENTIALS).status()).isEqualTo(200);
		assertThat(this.browser.token("a", "wrong", CREDENTIALS).status()).isEqualTo(418);
		RegisteredClient client = this.context.getBean(RegisteredClientRepository.class).findByClientId("a");
		assertThat(this.browser.token("a", client.getClientSecret(), CREDENTIALS).status()).isEqualTo(418);
		this.registry.status = 500;
		isUnavailable(this.browser.token("a", "other", CREDENTIALS));
	}

	@Test
	void authenticatesClientsByCertificate() throws Exception {
		ObjectNode selfSigned = FakeRegistry.client("self");
		selfSigned.putArray("client_auth_methods").add("self_signed_tls_client_auth");
		selfSigned.putObject("jwks").putArray("keys").add(FakeRegistry.json(jwk("app.pem").toJSONString()));
		this.registry.put(selfSigned);
		start(OwnChains.class);
		assertThat(withCertificate("self", "app.pem")).isEqualTo(200);
		assertThat(withCertificate("self", "other.pem")).isEqualTo(418);
		assertThat(withCertificate("self", "issued:app.pem")).isEqualTo(418);
		assertThat(withCertificate("a", "app.pem")).isEqualTo(418);

		selfSigned.putObject("jwks").putArray("keys").add(FakeRegistry.json(jwk("other.pem").toJSONString()));
		this.registry.put(selfSigned);
		until(() -> withCertificate("self", "app.pem") == 418);
		assertThat(withCertificate("self", "other.pem")).isEqualTo(200);

		List<Map.Entry<String, String>> right = List.of(
				Map.entry("tls_client_auth_subject_dn", "CN=app, O=Example, C=DE"),
				Map.entry("tls_client_auth_san_dns", "APP.example.com"),
				Map.entry("tls_client_auth_san_uri", "https://app.example.com/x"),
				Map.entry("tls_client_auth_san_email", "app@example.com"),
				Map.entry("tls_client_auth_san_ip", "192.0.2.7"), Map.entry("tls_client_auth_san_ip", "2001:DB8:0::7"));
		for (int i = 0; i < right.size(); i++) {
			registerWithName("right" + i, right.get(i).getKey(), right.get(i).getValue());
			String clientId = "right" + i;
			until(() -> withCertificate(clientId, "issued:app.pem") == 200);
			assertThat(withCertificate(clientId, "issued:other.pem"))
				.isEqualTo(right.get(i).getKey().endsWith("_ip") ? 200 : 418);
			assertThat(withCertificate(clientId, "app.pem")).isEqualTo(418);
		}
		registerWithName("wrong", "tls_client_auth_san_ip", "192.0.2.8");
		registerWithName("none", "unused", "x");
		ClienteleMirror mirror = this.context.getBean(ClienteleMirror.class);
		until(() -> mirror.find("none") != null);
		assertThat(withCertificate("wrong", "issued:app.pem")).isEqualTo(418);
		assertThat(withCertificate("none", "issued:app.pem")).isEqualTo(418);
	}

	private void registerWithName(String clientId, String field, String value) {
		ObjectNode client = FakeRegistry.client(clientId).put(field, value);
		client.putArray("client_auth_methods").add("tls_client_auth");
		this.registry.put(client);
	}

	private static JWK jwk(String name) throws Exception {
		X509Certificate certificate = certificate(name);
		return new ECKey.Builder(Curve.P_256, (ECPublicKey) certificate.getPublicKey())
			.x509CertChain(List.of(new com.nimbusds.jose.util.Base64(
					Base64.getEncoder().encodeToString(certificate.getEncoded()))))
			.build();
	}

	private int withCertificate(String clientId, String certificate) {
		return this.browser
			.token(clientId, null, Map.of("grant_type", "client_credentials", "test_certificate", certificate))
			.status();
	}

	/** An application whose clients are elsewhere, although the library is present. */
	@SpringBootConfiguration
	@EnableAutoConfiguration
	static class OwnRepository {

		@Bean
		RegisteredClientRepository clients() {
			return new InMemoryRegisteredClientRepository(RegisteredClient.withId("1")
				.clientId("mine")
				.clientSecret("{noop}s")
				.authorizationGrantType(AuthorizationGrantType.CLIENT_CREDENTIALS)
				.build());
		}

	}

	@Test
	void leavesAnApplicationWithItsOwnRepositoryAlone() {
		start(OwnRepository.class);
		assertThat(this.browser.token("mine", "s", CREDENTIALS).status()).isEqualTo(200);
		assertThat(this.browser.token("mine", "wrong", CREDENTIALS).status()).isEqualTo(401);
		this.context.close();
		start(OwnRepository.class, "clientele.url=false");
		assertThat(this.browser.token("mine", "s", CREDENTIALS).status()).isEqualTo(200);
		assertThatExceptionOfType(NoSuchBeanDefinitionException.class)
			.isThrownBy(() -> this.context.getBean(ClienteleMirror.class));
	}

	@Test
	void namesTheSettingThatIsWrong() {
		assertThatExceptionOfType(Exception.class).isThrownBy(() -> start(Defaults.class, "clientele.token="))
			.withStackTraceContaining("clientele.token-file or clientele.token");
		assertThatExceptionOfType(Exception.class)
			.isThrownBy(() -> start(Defaults.class, "clientele.url=registry.example.com"))
			.withStackTraceContaining("clientele.url must be the root URL");
	}

	@Test
	void aCustomizerChangesAClient() {
		this.registry.put(FakeRegistry.client("ours").put("owner", "platform"));
		start(ReadmeSnippets.Customized.class);
		RegisteredClientRepository clients = this.context.getBean(RegisteredClientRepository.class);
		assertThat(clients.findByClientId("ours").getClientSettings().isRequireAuthorizationConsent()).isFalse();
		assertThat(clients.findByClientId("a").getClientSettings().isRequireAuthorizationConsent()).isTrue();
	}

	@Test
	void clientsCannotBeSavedHere() {
		start(Defaults.class);
		RegisteredClientRepository clients = this.context.getBean(RegisteredClientRepository.class);
		RegisteredClient client = clients.findByClientId("a");
		assertThat(clients.findById(client.getId())).isEqualTo(client);
		assertThat(clients.findById("unknown")).isNull();
		assertThat(clients.findByClientId("unknown")).isNull();
		assertThatExceptionOfType(UnsupportedOperationException.class).isThrownBy(() -> clients.save(client))
			.withMessageContaining("Clientele registry");
	}

}
