package io.github.clientele.keycloak;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpHandler;
import com.sun.net.httpserver.HttpServer;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What goes wrong between this server and the registry; RealRegistryTest has what goes right. */
class RegistryTest {

  private static final String VALID = "{\"code\":0,\"data\":{\"valid\":true,\"max_age_seconds\":10,\"secret_id\":\"secret_1\"}}";
  private static final String ENDPOINT = "/admin/oauth/clients/shop/verify-secret";

  @TempDir Path folder;

  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final CountDownLatch end = new CountDownLatch(1);
  private final List<String> asked = Collections.synchronizedList(new ArrayList<>());
  private HttpServer server;

  @BeforeEach
  void start() throws Exception {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.setExecutor(threads);
    server.start();
  }

  @AfterEach
  void stop() {
    end.countDown();
    server.stop(0);
    threads.shutdownNow();
  }

  private Registry registry(HttpHandler handler) throws Exception {
    return registry(handler, Duration.ofMillis(500));
  }

  private Registry registry(HttpHandler handler, Duration timeout) throws Exception {
    server.createContext("/", handler);
    Path token = Files.writeString(folder.resolve("token"), "token-1\n");
    String url = "http://127.0.0.1:" + server.getAddress().getPort();
    return new Registry(new Configuration(url, token, null, null, timeout, 10));
  }

  private HttpHandler answering(int status, Map<String, String> headers, String body) {
    return exchange -> {
      asked.add(exchange.getRequestURI().getRawPath() + " " + exchange.getRequestHeaders().getFirst("Authorization")
          + " " + new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
      headers.forEach(exchange.getResponseHeaders()::set);
      byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
      exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
      exchange.getResponseBody().write(bytes);
      exchange.close();
    };
  }

  private static Registry.Unavailable unavailable(Registry registry) {
    return assertThrows(Registry.Unavailable.class, () -> registry.verify("shop", "s3cret"));
  }

  @Test
  void asksWithTheTokenOfTheFile() throws Exception {
    Registry registry = registry(answering(200, Map.of(), VALID));
    Registry.Verification verification = registry.verify("shop", "s\"3\\cret");
    assertTrue(verification.valid());
    assertEquals(Duration.ofSeconds(10), verification.maxAge());
    Files.writeString(folder.resolve("token"), "token-2");
    registry.verify("team/app 1", "s");
    registry.verify("..", "s");
    assertEquals(
        List.of(
            ENDPOINT + " Bearer token-1 {\"secret\":\"s\\\"3\\\\cret\"}",
            "/admin/oauth/clients/team%2Fapp%201/verify-secret Bearer token-2 {\"secret\":\"s\"}",
            "/admin/oauth/clients/%2E%2E/verify-secret Bearer token-2 {\"secret\":\"s\"}"),
        asked);
  }

  @Test
  void valueThatIsNobodysSecretIsNotSent() throws Exception {
    Registry registry = registry(answering(200, Map.of(), VALID));
    assertFalse(registry.verify("shop", "").valid());
    assertFalse(registry.verify("shop", "x".repeat(513)).valid());
    assertEquals(List.of(), asked);
    assertTrue(registry.verify("shop", "x".repeat(512)).valid());
  }

  @Test
  void unknownClientHasNoSecret() throws Exception {
    Registry registry = registry(answering(404, Map.of(), "{\"code\":404,\"message\":\"client not found\",\"timestamp\":\"2026-04-15T10:30:00Z\"}"));
    assertFalse(registry.verify("shop", "s3cret").valid());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "400|{\"code\":400}", "401|{\"code\":401}", "403|{\"code\":403}", "404|not found", "404|{\"code\":404}", "404|''",
        "408|''", "429|''", "500|''", "502|bad", "503|''", "204|''", "200|''", "200|{}", "200|[]", "200|{\"data\":{\"valid\":\"true\"}}",
        "200|{\"data\":null}", "301|''", "307|''"
      })
  void everythingElseSaysNothingAboutTheSecret(int status, String body) throws Exception {
    Registry registry = registry(answering(status, Map.of("Location", "http://127.0.0.1:9/"), body));
    assertFalse(unavailable(registry).getMessage().contains("s3cret"));
  }

  @ParameterizedTest
  @CsvSource({"7,7", "0,1", "-3,1", "86400,60", "soon,1", "'',1"})
  void retryAfterIsPassedOn(String header, long seconds) throws Exception {
    Registry registry = registry(answering(429, Map.of("Retry-After", header), ""));
    assertEquals(seconds, unavailable(registry).retryAfterSeconds());
  }

  @Test
  void registryThatIsDownIsUnavailable() throws Exception {
    Registry registry = registry(answering(200, Map.of(), VALID));
    server.stop(0);
    unavailable(registry);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void registryThatDoesNotEndItsResponseIsUnavailable(boolean begins) throws Exception {
    Registry registry =
        registry(
            exchange -> {
              if (begins) {
                exchange.sendResponseHeaders(200, 0);
                exchange.getResponseBody().write('{');
                exchange.getResponseBody().flush();
              }
              await();
            });
    long started = System.nanoTime();
    unavailable(registry);
    assertTrue(Duration.ofNanos(System.nanoTime() - started).toMillis() < 5_000);
  }

  @Test
  void onlySomeVerificationsRunAtTheSameTime() throws Exception {
    AtomicInteger received = new AtomicInteger();
    Registry registry =
        registry(
            exchange -> {
              received.incrementAndGet();
              await();
              answering(200, Map.of(), VALID).handle(exchange);
            },
            Duration.ofMinutes(1));
    List<Future<Registry.Verification>> calls = new ArrayList<>();
    for (int i = 0; i <= Registry.MAX_CALLS; i++) {
      calls.add(threads.submit(() -> registry.verify("shop", "s")));
    }
    long deadline = System.nanoTime() + Duration.ofMinutes(1).toNanos();
    while (received.get() < Registry.MAX_CALLS || registry.waiting() < 1) {
      assertTrue(System.nanoTime() < deadline, () -> received + " received, " + registry.waiting() + " waiting");
      Thread.sleep(5);
    }
    assertEquals(Registry.MAX_CALLS, received.get());
    end.countDown();
    for (Future<Registry.Verification> call : calls) {
      assertTrue(call.get().valid());
    }
  }

  private void await() {
    try {
      end.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void responseIsBounded() throws Exception {
    Registry registry =
        registry(
            exchange -> {
              exchange.sendResponseHeaders(200, 0);
              try (OutputStream out = exchange.getResponseBody()) {
                out.write(" ".repeat(1 << 20).getBytes(StandardCharsets.UTF_8));
                out.write(VALID.getBytes(StandardCharsets.UTF_8));
              }
            });
    assertTrue(unavailable(registry).getMessage().contains("larger than"));
  }

  @Test
  void tokenFileThatCannotBeUsedIsAnOutage() throws Exception {
    Registry registry = registry(answering(200, Map.of(), VALID));
    Files.writeString(folder.resolve("token"), "to\nken");
    Predicate<String> reveals = message -> message.contains("ken");
    assertEquals("the token is malformed", unavailable(registry).getMessage());
    assertFalse(reveals.test(unavailable(registry).getMessage().replace("token", "")));
    Files.writeString(folder.resolve("token"), "x".repeat((1 << 20) + 1));
    assertTrue(unavailable(registry).getMessage().contains("larger than"));
    Files.delete(folder.resolve("token"));
    unavailable(registry);
    assertEquals(List.of(), asked);
  }
}
