package io.github.clienteleoauth.spring;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

import com.sun.net.httpserver.HttpServer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

class RegistryHttpTests {

	@ParameterizedTest
	@CsvSource(delimiter = '|', quoteCharacter = '"', textBlock = """
			app-1      | app-1
			a b+c*     | a%20b%2Bc%2A
			urn:x/y@z  | urn%3Ax%2Fy%40z
			..         | %2E%2E
			.          | %2E
			a.b~c      | a.b%7Ec
			""")
	void encodesClientIdsAsSegments(String clientId, String segment) {
		assertThat(RegistryHttp.segment(clientId)).isEqualTo(segment);
	}

	@Test
	void limitsTheLengthOfAResponse() throws Exception {
		HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
		server.createContext("/", (exchange) -> {
			byte[] body = ("\"" + "x".repeat(1000) + "\"").getBytes(StandardCharsets.UTF_8);
			exchange.sendResponseHeaders(200, body.length);
			exchange.getResponseBody().write(body);
			exchange.close();
		});
		server.start();
		try {
			URI url = URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/");
			RegistryHttp http = new RegistryHttp(url, null, () -> "t", null);
			assertThat(http.get("/x", 1002, Duration.ofSeconds(5)).asText()).hasSize(1000);
			assertThatIOException().isThrownBy(() -> http.get("/x", 1001, Duration.ofSeconds(5)))
				.withMessageContaining("longer than 1001");
		}
		finally {
			server.stop(0);
		}
	}

	@ParameterizedTest
	@ValueSource(strings = { "", "\n", "a b", "a\r\nX: y", "é" })
	void rejectsATokenFileWithAnythingElse(String content, @TempDir Path directory) throws IOException {
		Path file = Files.writeString(directory.resolve("token"), content);
		assertThatIOException().isThrownBy(new FileTokenSource(file)::token);
	}

}
