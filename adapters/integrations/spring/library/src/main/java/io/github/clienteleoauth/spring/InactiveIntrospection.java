package io.github.clienteleoauth.spring;

import org.springframework.security.authentication.AuthenticationProvider;
import org.springframework.security.core.Authentication;
import org.springframework.security.core.AuthenticationException;
import org.springframework.security.oauth2.server.authorization.OAuth2Authorization;
import org.springframework.security.oauth2.server.authorization.OAuth2AuthorizationService;
import org.springframework.security.oauth2.server.authorization.authentication.OAuth2ClientAuthenticationToken;
import org.springframework.security.oauth2.server.authorization.authentication.OAuth2TokenIntrospectionAuthenticationToken;

/**
 * Introspection that reports the tokens of a client that is suspended or deleted as inactive
 * (RFC 7662 §2.2). Spring's provider fails for a client that does not exist.
 */
final class InactiveIntrospection implements AuthenticationProvider {

	private final AuthenticationProvider next;

	private final OAuth2AuthorizationService authorizations;

	private final ClienteleMirror mirror;

	InactiveIntrospection(AuthenticationProvider next, OAuth2AuthorizationService authorizations,
			ClienteleMirror mirror) {
		this.next = next;
		this.authorizations = authorizations;
		this.mirror = mirror;
	}

	@Override
	public Authentication authenticate(Authentication authentication) throws AuthenticationException {
		OAuth2TokenIntrospectionAuthenticationToken request = (OAuth2TokenIntrospectionAuthenticationToken) authentication;
		if (request.getPrincipal() instanceof OAuth2ClientAuthenticationToken caller && caller.isAuthenticated()) {
			OAuth2Authorization authorization = this.authorizations.findByToken(request.getToken(), null);
			if (authorization != null) {
				ClienteleClient client = this.mirror.findById(authorization.getRegisteredClientId());
				if (client == null || !client.isActive()) {
					return request; // without claims: inactive
				}
			}
		}
		return this.next.authenticate(authentication);
	}

	@Override
	public boolean supports(Class<?> authentication) {
		return this.next.supports(authentication);
	}

}
