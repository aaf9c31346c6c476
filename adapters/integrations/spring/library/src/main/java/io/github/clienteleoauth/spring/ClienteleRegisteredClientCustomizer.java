package io.github.clienteleoauth.spring;

import org.springframework.security.oauth2.server.authorization.client.RegisteredClient;

/**
 * Changes what Spring Authorization Server sees of a client. Beans of this type are called in
 * their order, once for each revision of a client.
 */
@FunctionalInterface
public interface ClienteleRegisteredClientCustomizer {

	/**
	 * Changes the client.
	 * @param client the client in the registry
	 * @param builder what was made of it
	 */
	void customize(ClienteleClient client, RegisteredClient.Builder builder);

}
