package io.github.clienteleoauth.spring;

import java.io.IOException;
import java.net.Inet4Address;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.text.ParseException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKSet;

/**
 * The public keys of clients. Inline keys are those of the current revision, so that a key
 * that was removed ends at once. Keys at a jwks_uri are fetched, and kept for a minute.
 */
final class ClientKeys {

	private static final Duration MAX_AGE = Duration.ofMinutes(1);

	/** The minimum time between two fetches of the same keys, also after a failure. */
	private static final Duration MIN_AGE = Duration.ofSeconds(5);

	private static final Duration TIMEOUT = Duration.ofSeconds(5);

	private static final int MAX_BYTES = 512 << 10;

	private static final int MAX_KEYS = 100;

	private static final int MAX_FETCHES = 16;

	private final HttpClient http = HttpClient.newBuilder()
		.followRedirects(HttpClient.Redirect.NEVER)
		.connectTimeout(TIMEOUT)
		.build();

	private final Semaphore fetches = new Semaphore(MAX_FETCHES);

	private final Set<String> allowedHosts;

	private final Clock clock;

	/** By URI, not by revision: a change of the client's name must not fetch its keys again. */
	private final Map<String, Fetched> fetched = new ConcurrentHashMap<>();

	ClientKeys(Set<String> allowedHosts, Clock clock) {
		this.allowedHosts = allowedHosts;
		this.clock = clock;
	}

	/**
	 * Returns the keys of a client.
	 * @param keyId a key that must be among them if it exists, or null
	 * @throws ClienteleUnavailableException if they cannot be fetched
	 */
	JWKSet get(ClienteleClient client, String keyId) {
		Source source = client.derive(Source.class, Source::of);
		if (source.inline != null) {
			return source.inline;
		}
		return (source.uri != null) ? fetch(source.uri, keyId) : new JWKSet();
	}

	private JWKSet fetch(String uri, String keyId) {
		if (this.fetched.size() > 10_000) {
			Instant old = this.clock.instant().minus(MAX_AGE);
			this.fetched.values().removeIf((entry) -> entry.at.isBefore(old));
		}
		Fetched entry = this.fetched.computeIfAbsent(uri, (key) -> new Fetched());
		synchronized (entry) {
			Instant now = this.clock.instant();
			boolean current = entry.keys != null && now.isBefore(entry.at.plus(MAX_AGE));
			boolean complete = current && (keyId == null || entry.keys.getKeyByKeyId(keyId) != null);
			if (complete || current && now.isBefore(entry.tried.plus(MIN_AGE))) {
				return entry.keys;
			}
			if (now.isBefore(entry.tried.plus(MIN_AGE))) {
				throw new ClienteleUnavailableException("the keys at " + uri + " could not be fetched a moment ago", null,
						MIN_AGE);
			}
			entry.tried = now;
			try {
				entry.keys = download(uri);
				entry.at = now;
			}
			catch (IOException ex) {
				if (!current) {
					entry.keys = null;
					throw new ClienteleUnavailableException("the keys at " + uri + " cannot be fetched: " + ex.getMessage(),
							ex, MIN_AGE);
				}
			}
			catch (InterruptedException ex) {
				Thread.currentThread().interrupt();
				throw new ClienteleUnavailableException("interrupted", ex);
			}
			return entry.keys;
		}
	}

	private JWKSet download(String text) throws IOException, InterruptedException {
		URI uri;
		try {
			uri = URI.create(text);
		}
		catch (IllegalArgumentException ex) {
			throw new IOException("not a URI", ex);
		}
		check(uri);
		if (!this.fetches.tryAcquire()) {
			throw new IOException("too many keys are being fetched");
		}
		try {
			HttpRequest request = HttpRequest.newBuilder(uri)
				.header("Accept", "application/jwk-set+json, application/json")
				.build();
			HttpResponse<byte[]> response = RegistryHttp
				.await(this.http.sendAsync(request, (info) -> new LimitedBody(MAX_BYTES)), TIMEOUT);
			if (response.statusCode() != 200) {
				throw new IOException("status " + response.statusCode());
			}
			JsonNode document = ClienteleClient.JSON.readTree(response.body());
			if (!document.path("keys").isArray()) {
				throw new IOException("not a JWK Set");
			}
			return parse(document);
		}
		finally {
			this.fetches.release();
		}
	}

	/**
	 * Rejects addresses that are not public: whoever registers a client must not reach into
	 * the network of the server. The connection uses the addresses that are checked here,
	 * because Java keeps them for 30 seconds.
	 */
	private void check(URI uri) throws IOException {
		String host = uri.getHost();
		if (host == null) {
			throw new IOException("no host");
		}
		if (this.allowedHosts.contains(host)) {
			return;
		}
		if (!"https".equals(uri.getScheme())) {
			throw new IOException("not an https URI");
		}
		for (InetAddress address : InetAddress.getAllByName(host)) {
			if (!isPublic(address)) {
				throw new IOException("the address is not allowed");
			}
		}
	}

	static boolean isPublic(InetAddress address) {
		if (address.isAnyLocalAddress() || address.isLoopbackAddress() || address.isLinkLocalAddress()
				|| address.isSiteLocalAddress() || address.isMulticastAddress()) {
			return false;
		}
		byte[] b = address.getAddress();
		int first = b[0] & 0xff;
		int second = b[1] & 0xff;
		if (address instanceof Inet4Address) {
			return first != 0 && first < 240 // this network; reserved
					&& !(first == 100 && second >= 64 && second < 128) // shared address space
					&& !(first == 192 && second == 0 && (b[2] == 0 || b[2] == 2)) // special purpose, documentation
					&& !(first == 198 && (second == 18 || second == 19)) // benchmarks
					&& !(first == 198 && second == 51 && b[2] == 100) && !(first == 203 && second == 0 && b[2] == 113);
		}
		// Only global unicast, and neither Teredo, documentation nor 6to4, which lead elsewhere.
		return address instanceof Inet6Address && (first & 0xe0) == 0x20
				&& !(first == 0x20 && second == 0x01 && (b[2] == 0 && b[3] == 0 || b[2] == 0x0d && (b[3] & 0xff) == 0xb8))
				&& !(first == 0x20 && second == 0x02);
	}

	/** Reads the keys that can be read: a set may have keys for others, of types unknown here. */
	private static JWKSet parse(JsonNode document) {
		List<JWK> keys = new ArrayList<>();
		for (JsonNode node : document.path("keys")) {
			if (keys.size() == MAX_KEYS) {
				break;
			}
			try {
				JWK key = JWK.parse(ClienteleClient.JSON.convertValue(node, new TypeReference<Map<String, Object>>() {
				})).toPublicJWK();
				if (key != null) { // null for a symmetric key
					keys.add(key);
				}
			}
			catch (ParseException | IllegalArgumentException ex) {
				continue;
			}
		}
		return new JWKSet(keys);
	}

	/** Where the keys of one revision of a client are. */
	private record Source(JWKSet inline, String uri) {

		static Source of(ClienteleClient client) {
			JsonNode document = client.document();
			if (document.path("jwks").path("keys").isArray()) {
				return new Source(parse(document.path("jwks")), null);
			}
			String uri = document.path("jwks_uri").asText();
			return new Source(null, uri.isEmpty() ? null : uri);
		}

	}

	private static final class Fetched {

		private JWKSet keys;

		private volatile Instant at = Instant.MIN;

		private Instant tried = Instant.MIN;

	}

}
