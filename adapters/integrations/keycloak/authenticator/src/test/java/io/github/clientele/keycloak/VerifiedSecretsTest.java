package io.github.clientele.keycloak;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class VerifiedSecretsTest {

  private static final Duration TEN_SECONDS = Duration.ofSeconds(10);

  // Such a clock may begin anywhere, and overflow.
  private final AtomicLong now = new AtomicLong(Long.MAX_VALUE - 5);
  private final VerifiedSecrets verified = new VerifiedSecrets(3, now::get);

  private void add(String client, String version, String secret, Duration maxAge) {
    verified.add(client, version, secret, now.get(), maxAge);
  }

  @Test
  void resultIsKeptForItsAgeOnly() {
    add("shop", "3", "s", TEN_SECONDS);
    now.addAndGet(TEN_SECONDS.toNanos() - 1);
    assertTrue(verified.contains("shop", "3", "s"));
    now.addAndGet(1);
    assertFalse(verified.contains("shop", "3", "s"));
  }

  @Test
  void ageBeginsWithTheQuestion() {
    long asked = now.get();
    now.addAndGet(TEN_SECONDS.toNanos());
    verified.add("shop", "3", "s", asked, TEN_SECONDS);
    assertFalse(verified.contains("shop", "3", "s"));
  }

  @Test
  void everyPartCounts() {
    add("shop", "3", "s", TEN_SECONDS);
    assertFalse(verified.contains("shop", "3", "t"));
    assertFalse(verified.contains("shop", "4", "s"));
    assertFalse(verified.contains("shop3", "", "s"));
    assertFalse(verified.contains("sho", "p3", "s"));
  }

  @Test
  void resultWithoutAnAgeIsNotKept() {
    add("shop", "3", "s", Duration.ZERO);
    assertEquals(0, verified.size());
    VerifiedSecrets none = new VerifiedSecrets(0, now::get);
    none.add("shop", "3", "s", now.get(), TEN_SECONDS);
    assertFalse(none.contains("shop", "3", "s"));
  }

  @Test
  void sizeIsBoundedAndTheOldestLeavesFirst() {
    for (String client : new String[] {"a", "b", "c", "d"}) {
      add(client, "1", "s", TEN_SECONDS);
    }
    assertEquals(3, verified.size());
    assertFalse(verified.contains("a", "1", "s"));
    assertTrue(verified.contains("b", "1", "s"));
    assertTrue(verified.contains("d", "1", "s"));
  }

  @Test
  void endedResultsAreRemoved() {
    add("a", "1", "s", TEN_SECONDS);
    add("b", "1", "s", TEN_SECONDS);
    now.addAndGet(TEN_SECONDS.toNanos());
    add("c", "1", "s", TEN_SECONDS);
    assertEquals(1, verified.size());
  }
}
