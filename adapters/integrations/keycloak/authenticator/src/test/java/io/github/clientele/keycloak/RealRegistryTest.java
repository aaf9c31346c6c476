package io.github.clientele.keycloak;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs against the registry of this repository, which needs Go. */
class RealRegistryTest {

  @TempDir static Path folder;

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final HttpClient HTTP = HttpClient.newHttpClient();
  private static Process process;
  private static String url;
  private static Registry registry;

  @BeforeAll
  static void start() throws Exception {
    Path binary = folder.resolve("clientele");
    Process build = new ProcessBuilder("go", "build", "-o", binary.toString(), "../../../../cmd/clientele").inheritIO().start();
    assertTrue(build.waitFor(5, TimeUnit.MINUTES));
    assertEquals(0, build.exitValue(), "go build");
    int port;
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    url = "http://127.0.0.1:" + port;
    process =
        new ProcessBuilder(binary.toString(), "serve", "--dev", "--listen", "127.0.0.1:" + port, "--data", folder.resolve("data").toString())
            .redirectErrorStream(true)
            .redirectOutput(folder.resolve("log").toFile())
            .start();
    long deadline = System.nanoTime() + Duration.ofMinutes(1).toNanos();
    while (!isReady()) {
      assertTrue(process.isAlive() && System.nanoTime() < deadline, () -> "the registry does not start:\n" + log());
      Thread.sleep(20);
    }
    registry = new Registry(new Configuration(url, folder.resolve("data/admin.token"), null, null, Duration.ofSeconds(10), 10));
  }

  private static String log() {
    try {
      return Files.readString(folder.resolve("log"));
    } catch (java.io.IOException e) {
      return e.toString();
    }
  }

  private static boolean isReady() throws InterruptedException {
    try {
      HttpRequest request = HttpRequest.newBuilder(URI.create(url + "/readyz")).timeout(Duration.ofSeconds(5)).build();
      return HTTP.send(request, HttpResponse.BodyHandlers.discarding()).statusCode() == 200;
    } catch (java.io.IOException e) {
      return false;
    }
  }

  @AfterAll
  static void stop() throws Exception {
    if (process != null) {
      process.destroy();
      assertTrue(process.waitFor(1, TimeUnit.MINUTES));
    }
  }

  private static JsonNode call(String method, String path, String body) throws Exception {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create(url + "/admin/oauth/clients" + path))
            .header("Authorization", "Bearer " + Files.readString(folder.resolve("data/admin.token")).strip())
            .header("Content-Type", "application/json")
            .method(method, HttpRequest.BodyPublishers.ofString(body))
            .build();
    HttpResponse<String> response = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
    assertEquals(2, response.statusCode() / 100, response.body());
    return response.body().isEmpty() ? JSON.missingNode() : JSON.readTree(response.body()).path("data");
  }

  private static String create(String id) throws Exception {
    JsonNode created = call("POST", "", "{\"client_id\":\"" + id + "\",\"name\":\"Test\",\"grant_types\":[\"client_credentials\"]}");
    return created.path("client_secret").asText();
  }

  @Test
  void secretIsValidUntilItIsRotated() throws Exception {
    String secret = create("rotated");
    Registry.Verification verification = registry.verify("rotated", secret);
    assertTrue(verification.valid());
    assertFalse(verification.maxAge().isZero());
    assertFalse(registry.verify("rotated", secret + "x").valid());
    assertFalse(registry.verify("other", secret).valid());
    String next = call("POST", "/rotated/rotate-secret", "{\"grace_seconds\":0}").path("new_secret").asText();
    assertFalse(registry.verify("rotated", secret).valid());
    assertTrue(registry.verify("rotated", next).valid());
  }

  @Test
  void suspendedAndDeletedClientsHaveNoSecret() throws Exception {
    String secret = create("stopped");
    call("PUT", "/stopped", "{\"status\":\"suspended\"}");
    assertFalse(registry.verify("stopped", secret).valid());
    call("PUT", "/stopped", "{\"status\":\"active\"}");
    assertTrue(registry.verify("stopped", secret).valid());
    call("DELETE", "/stopped", "");
    assertFalse(registry.verify("stopped", secret).valid());
  }

  @Test
  void identifiersAreEncoded() throws Exception {
    String secret = create("team/app 1:@+");
    assertTrue(registry.verify("team/app 1:@+", secret).valid());
  }
}
