package io.github.clienteleoauth.spring;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.util.Base64;
import java.util.Collection;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** A copy of all clients. One thread changes it; any thread reads it. */
final class Copy {

	/** The longest id in the tables of Spring Authorization Server. */
	private static final int MAX_ID = 100;

	private static final String HASHED = "sha-256:";

	private final Map<String, ClienteleClient> clients = new ConcurrentHashMap<>();

	private final Map<String, String> hashedIds = new ConcurrentHashMap<>();

	/** Where to continue in the feed: all changes up to here are in the copy. */
	volatile String cursor;

	/** When the registry last confirmed that the copy is current. */
	volatile Instant confirmedAt;

	Copy(String cursor, Instant confirmedAt) {
		this.cursor = cursor;
		this.confirmedAt = confirmedAt;
	}

	/**
	 * Returns the id of the RegisteredClient. It is the client_id, which the registry never
	 * assigns again, also not after a purge; one that is too long for the tables is hashed.
	 */
	static String idOf(String clientId) {
		if (clientId.length() <= MAX_ID && !clientId.startsWith(HASHED)) {
			return clientId;
		}
		try {
			byte[] hash = MessageDigest.getInstance("SHA-256").digest(clientId.getBytes(StandardCharsets.UTF_8));
			return HASHED + Base64.getUrlEncoder().withoutPadding().encodeToString(hash);
		}
		catch (NoSuchAlgorithmException ex) { // every Java platform has it
			throw new IllegalStateException(ex);
		}
	}

	ClienteleClient get(String clientId) {
		return this.clients.get(clientId);
	}

	ClienteleClient getById(String id) {
		String clientId = id.startsWith(HASHED) ? this.hashedIds.get(id) : id;
		ClienteleClient client = (clientId != null) ? this.clients.get(clientId) : null;
		return (client != null && idOf(client.clientId()).equals(id)) ? client : null;
	}

	void put(ClienteleClient client) {
		String id = idOf(client.clientId());
		if (!id.equals(client.clientId())) {
			this.hashedIds.put(id, client.clientId());
		}
		this.clients.put(client.clientId(), client);
	}

	void remove(String clientId) {
		this.clients.remove(clientId);
		this.hashedIds.remove(idOf(clientId));
	}

	int size() {
		return this.clients.size();
	}

	Collection<ClienteleClient> clients() {
		return this.clients.values();
	}

}
