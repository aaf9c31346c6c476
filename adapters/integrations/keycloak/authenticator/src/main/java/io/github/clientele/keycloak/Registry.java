package io.github.clientele.keycloak;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Flow;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** The registry over HTTP, as far as it verifies secrets. */
final class Registry {

  /**
   * The result of a verification.
   *
   * @param valid whether the value is a valid secret of the client
   * @param maxAge how long a positive result may be kept
   */
  record Verification(boolean valid, Duration maxAge) {}

  /** It is unknown whether a secret is valid, which says nothing about the secret. */
  static final class Unavailable extends Exception {
    private static final long serialVersionUID = 1L;
    private final long retryAfterSeconds;

    Unavailable(String message, long retryAfterSeconds) {
      super(message);
      this.retryAfterSeconds = retryAfterSeconds;
    }

    /** When the client may try again. */
    long retryAfterSeconds() {
      return retryAfterSeconds;
    }
  }

  /** The registry rejects longer values, so no client has them. */
  static final int MAX_SECRET_CHARACTERS = 512;

  private static final int MAX_RESPONSE_BYTES = 64 << 10;
  private static final int MAX_FILE_BYTES = 1 << 20;
  static final int MAX_CALLS = 64;
  private static final long DEFAULT_RETRY_SECONDS = 1;
  private static final long MAX_RETRY_SECONDS = 60;

  private final Configuration configuration;
  private final HttpClient http;
  private final ObjectMapper json = new ObjectMapper();
  // A registry that does not respond must not take all threads of the server.
  private final Semaphore calls = new Semaphore(MAX_CALLS);

  Registry(Configuration configuration) throws IOException, GeneralSecurityException {
    this.configuration = configuration;
    HttpClient.Builder builder =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(configuration.timeout());
    if (configuration.caFile() != null) {
      builder.sslContext(trusting(configuration.caFile()));
    }
    http = builder.build();
  }

  /**
   * Asks whether the value is a valid secret of the client.
   *
   * @throws Unavailable if the registry does not say so, whatever the reason: it cannot be reached,
   *     is too slow, is limiting verifications, or rejects the token of this server
   */
  Verification verify(String clientId, String secret) throws Unavailable {
    if (secret.isEmpty() || secret.length() > MAX_SECRET_CHARACTERS) {
      return new Verification(false, Duration.ZERO);
    }
    HttpRequest request = request(clientId, secret);
    boolean admitted = false;
    try {
      admitted = calls.tryAcquire(configuration.timeout().toMillis(), TimeUnit.MILLISECONDS);
      if (!admitted) {
        throw unavailable("too many verifications are waiting");
      }
      return read(send(request));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw unavailable("interrupted");
    } finally {
      if (admitted) {
        calls.release();
      }
    }
  }

  /** How many verifications wait for others to end. */
  int waiting() {
    return calls.getQueueLength();
  }

  private HttpRequest request(String clientId, String secret) throws Unavailable {
    try {
      String body = json.writeValueAsString(Map.of("secret", secret));
      HttpRequest.Builder request =
          HttpRequest.newBuilder(verifySecret(clientId))
              .timeout(configuration.timeout())
              .header("Authorization", "Bearer " + token())
              .header("Content-Type", "application/json")
              .header("Accept", "application/json")
              .POST(HttpRequest.BodyPublishers.ofString(body));
      if (configuration.tenant() != null) {
        request.header("X-Tenant-Id", configuration.tenant());
      }
      return request.build();
    } catch (IOException | IllegalArgumentException e) {
      // The message of the second could quote the token.
      throw unavailable(e instanceof IOException ? "the token file cannot be read: " + e : "the token is malformed");
    }
  }

  private URI verifySecret(String clientId) {
    String segment = URLEncoder.encode(clientId, StandardCharsets.UTF_8).replace("+", "%20");
    if (segment.equals(".") || segment.equals("..")) {
      segment = segment.replace(".", "%2E");
    }
    return URI.create(configuration.registryUrl() + "/admin/oauth/clients/" + segment + "/verify-secret");
  }

  /** The file is read for each request, so another program can renew the token. */
  private String token() throws IOException {
    return new String(file(configuration.tokenFile()), StandardCharsets.UTF_8).strip();
  }

  private HttpResponse<byte[]> send(HttpRequest request) throws Unavailable, InterruptedException {
    CompletableFuture<HttpResponse<byte[]>> exchange =
        http.sendAsync(request, info -> new LimitedBody(MAX_RESPONSE_BYTES));
    try {
      // The timeout of the request ends with the headers of the response; this one does not.
      return exchange.get(configuration.timeout().toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      exchange.cancel(true);
      throw unavailable("no response within " + configuration.timeout().toMillis() + " ms");
    } catch (InterruptedException e) {
      exchange.cancel(true);
      throw e;
    } catch (ExecutionException e) {
      throw unavailable(String.valueOf(e.getCause()));
    }
  }

  private Verification read(HttpResponse<byte[]> response) throws Unavailable {
    int status = response.statusCode();
    JsonNode body = parse(response.body());
    if (status == 200 && body.path("data").path("valid").isBoolean()) {
      JsonNode data = body.path("data");
      return new Verification(data.path("valid").booleanValue(), Duration.ofSeconds(Math.max(0, data.path("max_age_seconds").asLong())));
    }
    // Only the registry itself can say that there is no such client; a proxy that knows no such
    // path does not respond in this form.
    if (status == 404 && body.path("code").asInt() == 404 && body.path("timestamp").isTextual()) {
      return new Verification(false, Duration.ZERO);
    }
    throw new Unavailable("status " + status, retryAfter(response));
  }

  private JsonNode parse(byte[] body) {
    try {
      return json.readTree(body);
    } catch (IOException e) {
      return json.missingNode();
    }
  }

  private static long retryAfter(HttpResponse<?> response) {
    try {
      long seconds = Long.parseLong(response.headers().firstValue("Retry-After").orElse("").strip());
      return Math.min(Math.max(seconds, DEFAULT_RETRY_SECONDS), MAX_RETRY_SECONDS);
    } catch (NumberFormatException e) {
      return DEFAULT_RETRY_SECONDS;
    }
  }

  private static Unavailable unavailable(String message) {
    return new Unavailable(message, DEFAULT_RETRY_SECONDS);
  }

  private static byte[] file(Path path) throws IOException {
    try (InputStream in = Files.newInputStream(path)) {
      byte[] bytes = in.readNBytes(MAX_FILE_BYTES + 1);
      if (bytes.length > MAX_FILE_BYTES) {
        throw new IOException(path + " is larger than " + MAX_FILE_BYTES + " bytes");
      }
      return bytes;
    }
  }

  private static SSLContext trusting(Path caFile) throws IOException, GeneralSecurityException {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    int count = 0;
    for (Certificate certificate :
        CertificateFactory.getInstance("X.509").generateCertificates(new ByteArrayInputStream(file(caFile)))) {
      store.setCertificateEntry("ca-" + count++, certificate);
    }
    if (count == 0) {
      throw new GeneralSecurityException(caFile + " has no certificate");
    }
    TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    return context;
  }

  /** Collects a body and fails as soon as it is too large. */
  private static final class LimitedBody implements HttpResponse.BodySubscriber<byte[]> {
    private final HttpResponse.BodySubscriber<byte[]> all = HttpResponse.BodySubscribers.ofByteArray();
    private final int limit;
    private Flow.Subscription subscription;
    private long received;

    LimitedBody(int limit) {
      this.limit = limit;
    }

    @Override
    public CompletionStage<byte[]> getBody() {
      return all.getBody();
    }

    @Override
    public void onSubscribe(Flow.Subscription upstream) {
      subscription = upstream;
      all.onSubscribe(upstream);
    }

    @Override
    public void onNext(List<ByteBuffer> buffers) {
      for (ByteBuffer buffer : buffers) {
        received += buffer.remaining();
      }
      if (received > limit) {
        subscription.cancel();
        all.onError(new IOException("the response is larger than " + limit + " bytes"));
        return;
      }
      all.onNext(buffers);
    }

    @Override
    public void onError(Throwable error) {
      all.onError(error);
    }

    @Override
    public void onComplete() {
      all.onComplete();
    }
  }
}
