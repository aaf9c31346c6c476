package io.github.clienteleoauth.spring;

import org.springframework.security.oauth2.server.authorization.client.RegisteredClient;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClientRepository;
import org.springframework.util.Assert;

/** The clients of the registry, as Spring Authorization Server reads them. */
public final class ClienteleRegisteredClientRepository implements RegisteredClientRepository {

	private final ClienteleMirror mirror;

	private final RegisteredClientMapper mapper;

	ClienteleRegisteredClientRepository(ClienteleMirror mirror, RegisteredClientMapper mapper) {
		this.mirror = mirror;
		this.mapper = mapper;
	}

	/**
	 * Not supported: clients are changed in the registry.
	 * @param registeredClient is not used
	 */
	@Override
	public void save(RegisteredClient registeredClient) {
		throw new UnsupportedOperationException(
				"clients are changed in the Clientele registry, not through the authorization server");
	}

	/**
	 * Returns the client of an authorization or a consent. Unlike {@link #findByClientId} it
	 * also returns a suspended client: Spring uses it to read what it has stored of a client,
	 * and fails if there is none. No token is issued to a client by its id alone.
	 * @param id the id, which is the {@code client_id} unless that has more than 100 characters
	 * @return the client, or null if it does not exist or was deleted
	 * @throws ClienteleStaleException if the copy of the clients is missing or too old
	 */
	@Override
	public RegisteredClient findById(String id) {
		Assert.hasText(id, "id cannot be empty");
		ClienteleClient client = this.mirror.findById(id);
		return (client != null) ? this.mapper.map(client) : null;
	}

	/**
	 * Returns an active client.
	 * @param clientId the client identifier
	 * @return the client, or null if it does not exist, is suspended or deleted, or has
	 * settings that the server does not support
	 * @throws ClienteleStaleException if the copy of the clients is missing or too old
	 */
	@Override
	public RegisteredClient findByClientId(String clientId) {
		Assert.hasText(clientId, "clientId cannot be empty");
		ClienteleClient client = this.mirror.find(clientId);
		return (client != null) ? this.mapper.map(client) : null;
	}

}
