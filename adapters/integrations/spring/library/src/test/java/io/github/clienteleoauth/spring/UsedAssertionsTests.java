package io.github.clienteleoauth.spring;

import java.time.Instant;

import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

class UsedAssertionsTests {

	private static final Instant NOW = Instant.parse("2026-04-15T10:30:00Z");

	@Test
	void acceptsAnAssertionOnceUntilItHasExpired() {
		UsedAssertions used = new UsedAssertions();
		Instant end = NOW.plusSeconds(30);
		assertThat(used.add("a", "1", end, NOW)).isTrue();
		assertThat(used.add("a", "1", end, NOW)).isFalse();
		assertThat(used.add("a", "2", end, NOW)).isTrue();
		assertThat(used.add("b", "1", end, NOW)).isTrue();
		// Spring accepts it for a minute longer, and so it is remembered for a minute longer.
		assertThat(used.add("a", "1", end, NOW.plusSeconds(89))).isFalse();
		assertThat(used.add("a", "1", end, NOW.plusSeconds(120))).isTrue();
	}

	@Test
	void aClientCannotUseUpTheMemoryOrShutOutOthers() {
		UsedAssertions used = new UsedAssertions(2, 3);
		Instant end = NOW.plusSeconds(30);
		used.add("a", "1", end, NOW);
		used.add("a", "2", end, NOW);
		assertThatExceptionOfType(ClienteleUnavailableException.class).isThrownBy(() -> used.add("a", "3", end, NOW));
		assertThat(used.add("b", "1", end, NOW)).isTrue();
		assertThatExceptionOfType(ClienteleUnavailableException.class).isThrownBy(() -> used.add("c", "1", end, NOW));
		assertThat(used.add("a", "3", end.plusSeconds(200), NOW.plusSeconds(120))).isTrue();
	}

}
