package io.github.clienteleoauth.spring;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

import com.fasterxml.jackson.databind.JsonNode;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/** The registry itself: the program that the environment variable CLIENTELE_BINARY names. */
final class RegistryProcess implements AutoCloseable {

	private final HttpClient http = HttpClient.newHttpClient();

	private final Path directory;

	private final String address;

	private Process process;

	RegistryProcess(Path directory) throws IOException {
		this.directory = directory;
		this.address = "127.0.0.1:" + freePort();
	}

	static int freePort() throws IOException {
		try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
			return socket.getLocalPort();
		}
	}

	/** Starts the registry with further flags. */
	void run(String... flags) throws IOException {
		List<String> command = new ArrayList<>(List.of(System.getenv("CLIENTELE_BINARY"), "serve", "--listen", this.address,
				"--data", this.directory.resolve("data").toString()));
		command.addAll(List.of(flags));
		this.process = new ProcessBuilder(command).redirectErrorStream(true)
			.redirectOutput(this.directory.resolve("registry.log").toFile())
			.start();
	}

	String url() {
		return "http://" + this.address;
	}

	Path tokenFile() {
		return this.directory.resolve("data").resolve("admin.token");
	}

	void start() throws IOException {
		run("--dev");
		await().pollInterval(Duration.ofMillis(10)).atMost(Duration.ofSeconds(60)).ignoreExceptions().until(() -> {
			assertThat(this.process.isAlive()).isTrue();
			return request("GET", "/clients?limit=1", null).statusCode() == 200;
		});
	}

	void kill() {
		try {
			this.process.destroyForcibly().waitFor(10, TimeUnit.SECONDS);
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
		}
	}

	@Override
	public void close() {
		kill();
	}

	private HttpResponse<String> request(String method, String path, String body) throws IOException {
		HttpRequest request = HttpRequest.newBuilder(URI.create(url() + "/admin/oauth" + path))
			.header("Authorization", "Bearer " + Files.readString(tokenFile()).strip())
			.header("Content-Type", "application/json")
			.method(method, (body != null) ? HttpRequest.BodyPublishers.ofString(body)
					: HttpRequest.BodyPublishers.noBody())
			.build();
		try {
			return this.http.send(request, HttpResponse.BodyHandlers.ofString());
		}
		catch (InterruptedException ex) {
			throw new IOException(ex);
		}
	}

	/** Calls the API, with ' instead of " in the body, and returns the data of the response. */
	JsonNode call(String method, String path, String body) {
		try {
			HttpResponse<String> response = request(method, path, (body != null) ? body.replace('\'', '"') : null);
			assertThat(response.statusCode()).as(response.body()).isBetween(200, 299);
			return response.body().isEmpty() ? FakeRegistry.JSON.missingNode()
					: FakeRegistry.json(response.body()).path("data");
		}
		catch (IOException ex) {
			throw new IllegalStateException(ex);
		}
	}

	JsonNode update(String clientId, String body) {
		return call("PUT", "/clients/" + clientId, body);
	}

}
