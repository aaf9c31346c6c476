package io.github.clienteleoauth.spring;

import java.nio.file.Path;
import java.time.Clock;
import java.util.Set;

import javax.net.ssl.SSLContext;

import io.github.clienteleoauth.spring.ClienteleConfigurer.ClienteleAuthentication;

import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.actuate.autoconfigure.health.ConditionalOnEnabledHealthIndicator;
import org.springframework.boot.actuate.health.HealthIndicator;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.boot.autoconfigure.security.oauth2.server.servlet.OAuth2AuthorizationServerAutoConfiguration;
import org.springframework.boot.autoconfigure.ssl.SslAutoConfiguration;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.ssl.SslBundles;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.security.oauth2.server.authorization.OAuth2Authorization;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClientRepository;
import org.springframework.security.oauth2.server.authorization.settings.OAuth2TokenFormat;
import org.springframework.util.Assert;
import org.springframework.util.StringUtils;

/**
 * Connects a Spring Authorization Server to a Clientele registry when {@code clientele.url} is
 * set. It comes before Boot's own configuration of the server, which needs a
 * {@link RegisteredClientRepository}.
 */
@AutoConfiguration(before = OAuth2AuthorizationServerAutoConfiguration.class, after = SslAutoConfiguration.class)
@ConditionalOnClass(OAuth2Authorization.class)
@ConditionalOnWebApplication(type = ConditionalOnWebApplication.Type.SERVLET)
@ConditionalOnProperty("clientele.url")
@EnableConfigurationProperties(ClienteleProperties.class)
public class ClienteleAutoConfiguration {

	/** Makes the configuration. */
	public ClienteleAutoConfiguration() {
	}

	@Bean
	@ConditionalOnMissingBean
	ClienteleTokenSource clienteleTokenSource(ClienteleProperties properties) {
		boolean file = StringUtils.hasText(properties.getTokenFile());
		Assert.state(file != StringUtils.hasText(properties.getToken()),
				"set either clientele.token-file or clientele.token, or define a bean of ClienteleTokenSource");
		return file ? new FileTokenSource(Path.of(properties.getTokenFile())) : properties::getToken;
	}

	@Bean(initMethod = "start", destroyMethod = "close")
	@ConditionalOnMissingBean
	ClienteleMirror clienteleMirror(ClienteleProperties properties, ClienteleTokenSource tokens,
			ObjectProvider<SslBundles> bundles) {
		String scheme = properties.getUrl().getScheme();
		Assert.state(("http".equals(scheme) || "https".equals(scheme)) && properties.getUrl().getHost() != null,
				"clientele.url must be the root URL of the registry");
		SSLContext ssl = StringUtils.hasText(properties.getSslBundle())
				? bundles.getObject().getBundle(properties.getSslBundle()).createSslContext() : null;
		return ClienteleMirror.builder(properties.getUrl(), tokens)
			.tenant(StringUtils.hasText(properties.getTenant()) ? properties.getTenant() : null)
			.file(StringUtils.hasText(properties.getFile()) ? Path.of(properties.getFile()) : null)
			.localVerification(properties.isLocalVerification())
			.maxStaleness(properties.getMaxStaleness())
			.startupTimeout(properties.getStartupTimeout())
			.requestTimeout(properties.getRequestTimeout())
			.resyncInterval(properties.getResyncInterval())
			.sslContext(ssl)
			.build();
	}

	@Bean
	@ConditionalOnMissingBean(RegisteredClientRepository.class)
	ClienteleRegisteredClientRepository registeredClientRepository(ClienteleMirror mirror,
			ClienteleProperties properties, ObjectProvider<ClienteleRegisteredClientCustomizer> customizers) {
		OAuth2TokenFormat format = switch (properties.getAccessTokenFormat()) {
			case SELF_CONTAINED -> OAuth2TokenFormat.SELF_CONTAINED;
			case REFERENCE -> OAuth2TokenFormat.REFERENCE;
		};
		return new ClienteleRegisteredClientRepository(mirror,
				new RegisteredClientMapper(format, customizers.orderedStream().toList()));
	}

	@Bean
	ClienteleAuthentication clienteleAuthentication(ClienteleMirror mirror, ClienteleProperties properties) {
		Clock clock = Clock.systemUTC();
		ClientKeys keys = new ClientKeys(Set.copyOf(properties.getJwksAllowedHosts()), clock);
		return new ClienteleAuthentication(new ClienteleSecretEncoder(mirror),
				new AssertionDecoderFactory(mirror, keys, new UsedAssertions(), clock),
				new CertificateVerifier(mirror, keys));
	}

	@Configuration(proxyBeanMethods = false)
	@ConditionalOnClass({ HealthIndicator.class, ConditionalOnEnabledHealthIndicator.class })
	static class HealthConfiguration {

		@Bean
		@ConditionalOnEnabledHealthIndicator("clientele")
		@ConditionalOnMissingBean(name = "clienteleHealthIndicator")
		HealthIndicator clienteleHealthIndicator(ClienteleMirror mirror) {
			return new ClienteleHealthIndicator(mirror);
		}

	}

}
