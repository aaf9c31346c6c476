package io.github.clientele.keycloak;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.LongSupplier;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Positive results of verifications, for as long as the registry allows to keep them.
 *
 * <p>An entry is the HMAC of a secret with a key that only this process has, never the secret. The
 * version of the client is part of it, so that results for an older version are not found any more.
 */
final class VerifiedSecrets {
  private static final String ALGORITHM = "HmacSHA256";

  private final int capacity;
  private final LongSupplier nanoTime;
  private final SecretKeySpec key;
  private final Map<ByteBuffer, Long> ends = new LinkedHashMap<>();

  VerifiedSecrets(int capacity, LongSupplier nanoTime) {
    this.capacity = capacity;
    this.nanoTime = nanoTime;
    byte[] random = new byte[32];
    new SecureRandom().nextBytes(random);
    this.key = new SecretKeySpec(random, ALGORITHM);
  }

  /** Reports whether the secret was valid so recently that it need not be verified again. */
  boolean contains(String clientId, String version, String secret) {
    ByteBuffer entry = entry(clientId, version, secret);
    synchronized (ends) {
      Long end = ends.get(entry);
      return end != null && nanoTime.getAsLong() - end < 0;
    }
  }

  /**
   * Keeps a positive result.
   *
   * @param asked when the verification began, of the clock of this cache; the result is not newer
   */
  void add(String clientId, String version, String secret, long asked, Duration maxAge) {
    if (capacity == 0 || maxAge.isZero() || maxAge.isNegative()) {
      return;
    }
    ByteBuffer entry = entry(clientId, version, secret);
    synchronized (ends) {
      // The order of a map is that of insertion: the oldest entry is first.
      ends.remove(entry);
      ends.put(entry, asked + maxAge.toNanos());
      Iterator<Map.Entry<ByteBuffer, Long>> oldest = ends.entrySet().iterator();
      while (oldest.hasNext()) {
        long end = oldest.next().getValue();
        if (ends.size() <= capacity && nanoTime.getAsLong() - end < 0) {
          break;
        }
        oldest.remove();
      }
    }
  }

  int size() {
    synchronized (ends) {
      return ends.size();
    }
  }

  private ByteBuffer entry(String clientId, String version, String secret) {
    try {
      Mac mac = Mac.getInstance(ALGORITHM);
      mac.init(key);
      // Lengths keep the parts apart.
      for (String part : new String[] {clientId, version, secret}) {
        byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
        mac.update(ByteBuffer.allocate(Integer.BYTES).putInt(bytes.length).flip());
        mac.update(bytes);
      }
      return ByteBuffer.wrap(mac.doFinal());
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e); // every Java platform has this algorithm
    }
  }
}
