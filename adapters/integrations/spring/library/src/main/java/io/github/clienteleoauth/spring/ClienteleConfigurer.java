package io.github.clienteleoauth.spring;

import org.springframework.context.ApplicationContext;
import org.springframework.security.authentication.AuthenticationProvider;
import org.springframework.security.config.ObjectPostProcessor;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.config.annotation.web.configurers.AbstractHttpConfigurer;
import org.springframework.security.oauth2.server.authorization.OAuth2AuthorizationService;
import org.springframework.security.oauth2.server.authorization.authentication.ClientSecretAuthenticationProvider;
import org.springframework.security.oauth2.server.authorization.authentication.JwtClientAssertionAuthenticationProvider;
import org.springframework.security.oauth2.server.authorization.authentication.OAuth2TokenIntrospectionAuthenticationProvider;
import org.springframework.security.oauth2.server.authorization.authentication.X509ClientCertificateAuthenticationProvider;
import org.springframework.security.oauth2.server.authorization.config.annotation.web.configurers.OAuth2AuthorizationServerConfigurer;
import org.springframework.security.web.context.SecurityContextHolderFilter;

/**
 * Lets the authorization server authenticate clients with the registry. It is applied to each
 * {@link HttpSecurity} bean (through {@code META-INF/spring.factories}), so that a filter
 * chain needs no line for it, and it changes only the providers that authenticate clients: a
 * {@code PasswordEncoder} bean would serve the passwords of users as well. What the
 * application sets with {@code clientAuthentication(…)} remains.
 */
public final class ClienteleConfigurer extends AbstractHttpConfigurer<ClienteleConfigurer, HttpSecurity> {

	/** Makes the configurer. */
	public ClienteleConfigurer() {
	}

	@Override
	public void init(HttpSecurity http) {
		ApplicationContext context = http.getSharedObject(ApplicationContext.class);
		ClienteleMirror mirror = context.getBeanProvider(ClienteleMirror.class).getIfAvailable();
		if (mirror == null) {
			return;
		}
		// In every chain: a page of the application, too, may look up a client.
		http.addFilterAfter(new UnavailableFilter(), SecurityContextHolderFilter.class);
		OAuth2AuthorizationServerConfigurer server = http.getConfigurer(OAuth2AuthorizationServerConfigurer.class);
		// An application with a repository of its own authenticates its clients itself.
		if (server == null || context.getBeanProvider(ClienteleRegisteredClientRepository.class)
			.getIfAvailable() == null) {
			return;
		}
		ClienteleAuthentication authentication = context.getBean(ClienteleAuthentication.class);
		// This runs before the server's configurer makes its providers, because it was added before.
		server.addObjectPostProcessor(new ObjectPostProcessor<AuthenticationProvider>() {

			@Override
			@SuppressWarnings("unchecked")
			public <O extends AuthenticationProvider> O postProcess(O provider) {
				if (provider instanceof OAuth2TokenIntrospectionAuthenticationProvider) {
					// Spring only needs an AuthenticationProvider.
					return (O) new InactiveIntrospection(provider,
							http.getSharedObject(OAuth2AuthorizationService.class), mirror);
				}
				authentication.configure(provider);
				return provider;
			}

		});
	}

	/** What verifies the credentials of clients; one for all filter chains. */
	static final class ClienteleAuthentication {

		private final ClienteleSecretEncoder secrets;

		private final AssertionDecoderFactory assertions;

		private final CertificateVerifier certificates;

		ClienteleAuthentication(ClienteleSecretEncoder secrets, AssertionDecoderFactory assertions,
				CertificateVerifier certificates) {
			this.secrets = secrets;
			this.assertions = assertions;
			this.certificates = certificates;
		}

		void configure(AuthenticationProvider provider) {
			if (provider instanceof ClientSecretAuthenticationProvider secret) {
				secret.setPasswordEncoder(this.secrets);
			}
			else if (provider instanceof JwtClientAssertionAuthenticationProvider assertion) {
				assertion.setJwtDecoderFactory(this.assertions);
			}
			else if (provider instanceof X509ClientCertificateAuthenticationProvider certificate) {
				certificate.setCertificateVerifier(this.certificates);
			}
		}

	}

}
