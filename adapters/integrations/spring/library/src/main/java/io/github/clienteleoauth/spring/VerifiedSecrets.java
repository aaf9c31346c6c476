package io.github.clienteleoauth.spring;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;

import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * The secrets of one client that the registry has found valid, until when each result may
 * be kept. The secrets themselves are not kept, only an HMAC with a key of this process.
 * Negative results are not kept: the value may be a secret that is created a moment later.
 */
final class VerifiedSecrets {

	/** More than a client has secrets at a time: two, and those within a grace period. */
	private static final int MAX = 16;

	private static final SecretKeySpec KEY = key();

	private final Map<String, Instant> until = new LinkedHashMap<>(2);

	private static SecretKeySpec key() {
		byte[] key = new byte[32];
		new SecureRandom().nextBytes(key);
		return new SecretKeySpec(key, "HmacSHA256");
	}

	/** Returns a value that stands for the text in this process and does not reveal it. */
	static String digest(String text) {
		try {
			Mac mac = Mac.getInstance("HmacSHA256");
			mac.init(KEY);
			return HexFormat.of().formatHex(mac.doFinal(text.getBytes(StandardCharsets.UTF_8)));
		}
		catch (GeneralSecurityException ex) { // every Java platform has it
			throw new IllegalStateException(ex);
		}
	}

	synchronized boolean contains(String digest, Instant now) {
		Instant end = this.until.get(digest);
		if (end == null) {
			return false;
		}
		if (now.isBefore(end)) {
			return true;
		}
		this.until.remove(digest);
		return false;
	}

	synchronized void add(String digest, Instant end) {
		this.until.remove(digest);
		if (this.until.size() >= MAX) {
			this.until.remove(this.until.keySet().iterator().next());
		}
		this.until.put(digest, end);
	}

}
