package io.github.clienteleoauth.spring;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;

import org.springframework.security.crypto.password.PasswordEncoder;

/**
 * Verifies secrets of clients with the registry. The "encoded password" is a reference to the
 * client: Spring calls the encoder without saying whose secret it is.
 */
final class ClienteleSecretEncoder implements PasswordEncoder {

	private static final String PREFIX = "{clientele}";

	private final ClienteleMirror mirror;

	ClienteleSecretEncoder(ClienteleMirror mirror) {
		this.mirror = mirror;
	}

	/**
	 * Returns the reference to a client. It has a code that only this process can compute, so
	 * that it is never a secret that works, whatever encoder an application sets instead.
	 */
	static String reference(String clientId) {
		return PREFIX + VerifiedSecrets.digest(PREFIX + clientId) + ":" + clientId;
	}

	@Override
	public String encode(CharSequence secret) {
		throw new UnsupportedOperationException("secrets are created in the registry");
	}

	@Override
	public boolean matches(CharSequence secret, String reference) {
		int colon = (reference != null) ? reference.indexOf(':') : -1;
		if (colon < 0) {
			return false;
		}
		String clientId = reference.substring(colon + 1);
		if (!MessageDigest.isEqual(reference(clientId).getBytes(StandardCharsets.UTF_8),
				reference.getBytes(StandardCharsets.UTF_8))) {
			return false;
		}
		return this.mirror.verifySecret(clientId, secret.toString());
	}

}
