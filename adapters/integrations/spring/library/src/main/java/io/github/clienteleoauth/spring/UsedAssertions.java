package io.github.clienteleoauth.spring;

import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;

/** The assertions that were accepted in this process and have not expired. */
final class UsedAssertions {

	/** In one client: 160 a second, if each is valid for a minute. */
	private static final int MAX_OF_CLIENT = 20_000;

	private static final int MAX = 400_000;

	private static final Duration SWEEP = Duration.ofSeconds(10);

	/** The tolerance that Spring's JwtTimestampValidator has for exp. */
	private static final Duration CLOCK_SKEW = Duration.ofSeconds(60);

	/** The end of each assertion, by client and a digest of its jti. */
	private final Map<String, Map<String, Instant>> ends = new HashMap<>();

	private final int maxOfClient;

	private final int max;

	private int size;

	private Instant nextSweep = Instant.MIN;

	UsedAssertions() {
		this(MAX_OF_CLIENT, MAX);
	}

	UsedAssertions(int maxOfClient, int max) {
		this.maxOfClient = maxOfClient;
		this.max = max;
	}

	/** Adds an assertion, and reports whether it is new. */
	synchronized boolean add(String clientId, String jwtId, Instant expires, Instant now) {
		if (!now.isBefore(this.nextSweep)) {
			sweep(now);
		}
		String digest = VerifiedSecrets.digest(jwtId); // has the same length whatever the client chose
		Map<String, Instant> ofClient = this.ends.computeIfAbsent(clientId, (key) -> new HashMap<>());
		if (ofClient.containsKey(digest)) {
			return false;
		}
		if (ofClient.size() >= this.maxOfClient || this.size >= this.max) {
			throw new ClienteleUnavailableException("too many assertions must be remembered", null, SWEEP);
		}
		ofClient.put(digest, expires.plus(CLOCK_SKEW));
		this.size++;
		return true;
	}

	private void sweep(Instant now) {
		this.size = 0;
		for (Iterator<Map<String, Instant>> i = this.ends.values().iterator(); i.hasNext();) {
			Map<String, Instant> ofClient = i.next();
			ofClient.values().removeIf((end) -> end.isBefore(now));
			this.size += ofClient.size();
			if (ofClient.isEmpty()) {
				i.remove();
			}
		}
		this.nextSweep = now.plus(SWEEP);
	}

}
