package io.github.clienteleoauth.spring;

import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

import javax.net.ssl.SSLContext;

import com.fasterxml.jackson.databind.JsonNode;

/** Requests to the registry: token, time limits, bounded responses. */
final class RegistryHttp {

	private static final int MAX_PROBLEM_BYTES = 256 << 10;

	private static final Duration MAX_RETRY_AFTER = Duration.ofSeconds(30);

	private final HttpClient client;

	private final String base;

	private final String tenant;

	private final ClienteleTokenSource tokens;

	RegistryHttp(URI url, String tenant, ClienteleTokenSource tokens, SSLContext ssl) {
		HttpClient.Builder builder = HttpClient.newBuilder()
			// A redirect could carry the token elsewhere.
			.followRedirects(HttpClient.Redirect.NEVER)
			.connectTimeout(Duration.ofSeconds(5));
		if (ssl != null) {
			builder.sslContext(ssl);
		}
		this.client = builder.build();
		this.base = url.toString().replaceAll("/+$", "") + "/admin/oauth";
		this.tenant = tenant;
		this.tokens = tokens;
	}

	/** Encodes a client_id as one segment of a path. */
	static String segment(String clientId) {
		if (clientId.equals(".") || clientId.equals("..")) {
			return clientId.replace(".", "%2E");
		}
		return URLEncoder.encode(clientId, StandardCharsets.UTF_8).replace("+", "%20").replace("*", "%2A");
	}

	/** Requests a JSON document with a body of at most maxBytes; the whole exchange takes at most the timeout. */
	JsonNode get(String path, int maxBytes, Duration timeout) throws IOException, InterruptedException {
		return exchange(HttpRequest.newBuilder(URI.create(this.base + path)).GET(), maxBytes, timeout);
	}

	/** Posts a JSON document. The operation must be one that can be repeated. */
	JsonNode post(String path, byte[] body, int maxBytes, Duration timeout) throws IOException, InterruptedException {
		HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(this.base + path))
			.header("Content-Type", "application/json")
			.POST(HttpRequest.BodyPublishers.ofByteArray(body));
		long start = System.nanoTime();
		try {
			return exchange(request, maxBytes, timeout);
		}
		catch (ProblemException | ConnectException | InterruptedIOException ex) {
			throw ex;
		}
		catch (IOException ex) { // the registry may have closed an idle connection at the same moment
			Duration left = timeout.minusNanos(System.nanoTime() - start);
			if (left.isNegative() || left.isZero()) {
				throw ex;
			}
			return exchange(request, maxBytes, left);
		}
	}

	private JsonNode exchange(HttpRequest.Builder request, int maxBytes, Duration timeout)
			throws IOException, InterruptedException {
		HttpResponse<byte[]> response = send(request, (info) -> new LimitedBody(maxBytes), timeout);
		if (response.statusCode() != 200) {
			throw problem(response, response.body());
		}
		return ClienteleClient.JSON.readTree(response.body());
	}

	/** Requests a document that is read while it arrives. The timeout is that of the first byte. */
	InputStream stream(String path, Duration timeout) throws IOException, InterruptedException {
		HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(this.base + path)).GET();
		HttpResponse<InputStream> response = send(request, BodyHandlers.ofInputStream(), timeout);
		if (response.statusCode() != 200) {
			try (InputStream body = response.body()) {
				throw problem(response, body.readNBytes(MAX_PROBLEM_BYTES));
			}
		}
		return response.body();
	}

	private <T> HttpResponse<T> send(HttpRequest.Builder request, BodyHandler<T> handler, Duration timeout)
			throws IOException, InterruptedException {
		String token = this.tokens.token();
		HttpResponse<T> response = sendWith(token, request, handler, timeout);
		if (response.statusCode() != 401) {
			return response;
		}
		this.tokens.rejected(token);
		String next = this.tokens.token();
		if (next.equals(token)) {
			return response;
		}
		if (response.body() instanceof InputStream body) {
			body.close();
		}
		return sendWith(next, request, handler, timeout);
	}

	private <T> HttpResponse<T> sendWith(String token, HttpRequest.Builder request, BodyHandler<T> handler,
			Duration timeout) throws IOException, InterruptedException {
		request.setHeader("Authorization", "Bearer " + token);
		request.setHeader("User-Agent", "clientele-spring-authorization-server");
		if (this.tenant != null) {
			request.setHeader("X-Tenant-Id", this.tenant);
		}
		return await(this.client.sendAsync(request.build(), handler), timeout);
	}

	/** Waits for a response with its body, which HttpRequest.timeout does not include. */
	static <T> T await(CompletableFuture<T> future, Duration timeout) throws IOException, InterruptedException {
		try {
			return future.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
		}
		catch (TimeoutException ex) {
			InterruptedIOException late = new InterruptedIOException("no response within " + timeout);
			late.initCause(ex);
			throw late;
		}
		catch (ExecutionException ex) {
			if (ex.getCause() instanceof ConnectException) {
				ConnectException refused = new ConnectException("cannot connect");
				refused.initCause(ex.getCause());
				throw refused;
			}
			throw new IOException("no response: " + ex.getCause(), ex.getCause());
		}
		finally {
			future.cancel(true); // does nothing after the response
		}
	}

	private static ProblemException problem(HttpResponse<?> response, byte[] body) {
		JsonNode document;
		try {
			document = ClienteleClient.JSON.readTree(body);
		}
		catch (IOException ex) {
			document = ClienteleClient.JSON.missingNode();
		}
		Duration retryAfter = null;
		String header = response.headers().firstValue("Retry-After").orElse("");
		if (header.matches("[0-9]{1,9}")) {
			retryAfter = Duration.ofSeconds(Long.parseLong(header));
			if (retryAfter.compareTo(MAX_RETRY_AFTER) > 0) {
				retryAfter = MAX_RETRY_AFTER;
			}
		}
		return new ProblemException(response.statusCode(), document, retryAfter);
	}

	/** A response with a status other than 200. */
	static final class ProblemException extends IOException {

		private static final long serialVersionUID = 1L;

		private final int status;

		private final transient JsonNode document;

		private final Duration retryAfter;

		private ProblemException(int status, JsonNode document, Duration retryAfter) {
			super("the registry responded " + status + " " + document.path("message").asText(""));
			this.status = status;
			this.document = document;
			this.retryAfter = retryAfter;
		}

		int status() {
			return this.status;
		}

		Duration retryAfter() {
			return this.retryAfter;
		}

		/** Reports whether the response is a 400 whose violations are all at the field. */
		boolean concernsOnly(String field) {
			JsonNode violations = this.document.path("violations");
			if (this.status != 400 || violations.isEmpty()) {
				return false;
			}
			for (JsonNode violation : violations) {
				if (!field.equals(violation.path("field").asText())) {
					return false;
				}
			}
			return true;
		}

	}

}
