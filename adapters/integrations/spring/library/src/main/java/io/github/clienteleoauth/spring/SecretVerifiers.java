package io.github.clienteleoauth.spring;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

import com.fasterxml.jackson.databind.JsonNode;

/**
 * The hashes of a client's secrets, to verify them while the registry is away. Secrets of the
 * registry have 256 random bits, so SHA-256 without a salt does not reveal them. Hashes with
 * other algorithms are left to the registry.
 */
final class SecretVerifiers {

	/** The field of a client in a snapshot and in the file. */
	static final String FIELD = "secret_verifiers";

	private final List<Verifier> verifiers;

	private SecretVerifiers(List<Verifier> verifiers) {
		this.verifiers = verifiers;
	}

	/** Returns the hashes of a client that can be used here, or null if there are none. */
	static SecretVerifiers of(JsonNode client) {
		List<Verifier> verifiers = new ArrayList<>();
		for (JsonNode node : client.path(FIELD)) {
			if (!"sha-256".equals(node.path("algorithm").asText())) {
				continue;
			}
			try {
				JsonNode end = node.path("expires_at");
				verifiers.add(new Verifier(HexFormat.of().parseHex(node.path("hash").asText()),
						end.isTextual() ? Instant.parse(end.textValue()) : Instant.MAX));
			}
			catch (IllegalArgumentException | DateTimeException ex) {
				continue; // the registry knows better
			}
		}
		return verifiers.isEmpty() ? null : new SecretVerifiers(verifiers);
	}

	/** Reports whether the value is one of the secrets. If not, it may still be one that is newer. */
	boolean match(String secret, Instant now) {
		byte[] hash;
		try {
			hash = MessageDigest.getInstance("SHA-256").digest(secret.getBytes(StandardCharsets.UTF_8));
		}
		catch (NoSuchAlgorithmException ex) { // every Java platform has it
			throw new IllegalStateException(ex);
		}
		boolean match = false;
		for (Verifier verifier : this.verifiers) {
			match |= MessageDigest.isEqual(verifier.hash, hash) && now.isBefore(verifier.end);
		}
		return match;
	}

	private record Verifier(byte[] hash, Instant end) {
	}

}
