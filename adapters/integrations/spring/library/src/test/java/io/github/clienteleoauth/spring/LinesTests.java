package io.github.clienteleoauth.spring;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;

import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

class LinesTests {

	private static Lines of(String text) {
		return new Lines(new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)));
	}

	@Test
	void readsLinesAcrossItsBuffer() throws IOException {
		String big = "x".repeat(200_000);
		Lines lines = of("a\n\n" + big + "\nb\n");
		assertThat(new String(lines.next(), StandardCharsets.UTF_8)).isEqualTo("a");
		assertThat(lines.next()).isEmpty();
		assertThat(new String(lines.next(), StandardCharsets.UTF_8)).isEqualTo(big);
		assertThat(new String(lines.next(), StandardCharsets.UTF_8)).isEqualTo("b");
		assertThat(lines.next()).isNull();
		assertThat(lines.next()).isNull();
	}

	@Test
	void rejectsALineWithoutAnEnd() {
		assertThatIOException().isThrownBy(() -> of("a").next()).withMessageContaining("incomplete");
	}

	@Test
	void rejectsALineThatNeverEnds() {
		InputStream endless = new InputStream() {

			@Override
			public int read() {
				return 'x';
			}

		};
		assertThatIOException().isThrownBy(() -> new Lines(endless).next()).withMessageContaining("longer");
	}

}
