package io.github.clienteleoauth.spring;

import java.io.IOException;

/**
 * Supplies the access token for the registry, which needs the scopes {@code clients:read}
 * and {@code clients:verify}. The default reads {@code clientele.token-file} again whenever
 * it changes. Define a bean of this type to get the token elsewhere, for example from the
 * authorization server itself. Implementations must be thread-safe.
 */
@FunctionalInterface
public interface ClienteleTokenSource {

	/**
	 * Returns a token. It is called for each request to the registry.
	 * @return the token, without {@code Bearer}
	 * @throws IOException if there is no token at the moment
	 */
	String token() throws IOException;

	/**
	 * Reports that the registry rejected a token, so that a cache can drop it. The request
	 * is then sent once more if {@link #token()} returns another one.
	 * @param token the token that was rejected
	 */
	default void rejected(String token) {
	}

}
