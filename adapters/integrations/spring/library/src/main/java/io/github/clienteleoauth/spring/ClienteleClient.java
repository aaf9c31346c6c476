package io.github.clienteleoauth.spring;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * One revision of a client in the registry. What is derived from it, such as its keys and
 * the results of verifications, is kept here, so that it ends with the revision.
 */
public final class ClienteleClient {

	static final ObjectMapper JSON = new ObjectMapper();

	private final String clientId;

	private final long revision;

	private final boolean active;

	private final byte[] json;

	private final Map<Class<?>, Optional<?>> derived = new ConcurrentHashMap<>(2);

	final VerifiedSecrets verifiedSecrets = new VerifiedSecrets();

	private ClienteleClient(String clientId, long revision, boolean active, byte[] json) {
		this.clientId = clientId;
		this.revision = revision;
		this.active = active;
		this.json = json;
	}

	/**
	 * Reads a client.
	 * @param json the JSON text of a document in the standard names
	 * @param node the same, parsed
	 */
	static ClienteleClient of(byte[] json, JsonNode node) throws IOException {
		JsonNode clientId = node.path("client_id");
		JsonNode revision = node.path("revision");
		JsonNode status = node.path("status");
		if (!node.isObject() || !clientId.isTextual() || clientId.textValue().isEmpty() || !revision.isIntegralNumber()
				|| !revision.canConvertToLong() || !status.isTextual()) {
			throw new IOException("a client has no client_id, revision or status");
		}
		return new ClienteleClient(clientId.textValue(), revision.longValue(), "active".equals(status.textValue()),
				json);
	}

	/** Returns the same client without anything derived. */
	ClienteleClient fresh() {
		return new ClienteleClient(this.clientId, this.revision, this.active, this.json);
	}

	/** Returns the same client with other hashes of its secrets, or null for unknown ones. */
	ClienteleClient with(JsonNode verifiers) throws IOException {
		ObjectNode node = (ObjectNode) JSON.readTree(this.json);
		if (verifiers != null) {
			node.set(SecretVerifiers.FIELD, verifiers);
		}
		else {
			node.remove(SecretVerifiers.FIELD);
		}
		return new ClienteleClient(this.clientId, this.revision, this.active, JSON.writeValueAsBytes(node));
	}

	/** Reports whether the value is a valid secret, as far as the hashes that are here can tell. */
	boolean hasSecret(String secret, Instant now) {
		SecretVerifiers verifiers = derive(SecretVerifiers.class, (client) -> SecretVerifiers.of(client.all()));
		return verifiers != null && verifiers.match(secret, now);
	}

	byte[] json() {
		return this.json;
	}

	/** Returns what the function makes of this client, computed once; null if that is null. */
	<T> T derive(Class<T> type, Derivation<T> function) {
		return type.cast(this.derived.computeIfAbsent(type, (key) -> Optional.ofNullable(function.apply(this)))
			.orElse(null));
	}

	interface Derivation<T> {

		T apply(ClienteleClient client);

	}

	/**
	 * Returns the client identifier.
	 * @return the {@code client_id}
	 */
	public String clientId() {
		return this.clientId;
	}

	/**
	 * Returns the number of the revision, which grows with each change.
	 * @return the revision
	 */
	public long revision() {
		return this.revision;
	}

	/**
	 * Reports whether the client is active. A server must not serve one that is suspended.
	 * @return whether it is active
	 */
	public boolean isActive() {
		return this.active;
	}

	/**
	 * Returns the configuration in the standard names, with the defaults of the
	 * specifications filled in ({@code format=rfc7591&effective=true}). It is parsed at each
	 * call, and the caller may change it.
	 * @return the document
	 */
	public JsonNode document() {
		ObjectNode document = all();
		document.remove(SecretVerifiers.FIELD);
		return document;
	}

	private ObjectNode all() {
		try {
			return (ObjectNode) JSON.readTree(this.json);
		}
		catch (IOException ex) { // it was parsed when it arrived
			throw new UncheckedIOException(ex);
		}
	}

	@Override
	public String toString() {
		return this.clientId + " (revision " + this.revision + (this.active ? ")" : ", suspended)");
	}

}
