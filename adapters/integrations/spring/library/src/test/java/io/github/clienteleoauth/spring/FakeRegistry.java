package io.github.clienteleoauth.spring;

import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.function.UnaryOperator;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;

/** The part of the registry's API that the mirror uses, for what a real registry does not do on demand. */
final class FakeRegistry implements AutoCloseable {

	static final ObjectMapper JSON = new ObjectMapper();

	private final ExecutorService threads = Executors.newCachedThreadPool();

	private final Map<String, ObjectNode> clients = new TreeMap<>();

	private final List<ObjectNode> changes = new ArrayList<>();

	private final Map<String, Long> revisions = new LinkedHashMap<>();

	final Set<String> secrets = ConcurrentHashMap.newKeySet();

	final AtomicInteger verifications = new AtomicInteger();

	final AtomicInteger verifierReads = new AtomicInteger();

	volatile String algorithm = "sha-256";

	/** End of all secrets, if not null. */
	volatile String expires;

	final AtomicInteger snapshots = new AtomicInteger();

	final List<String> tenants = new ArrayList<>();

	final int port;

	private HttpServer server;

	volatile String token = "token";

	/** Status of all responses, if not 0. */
	volatile int status;

	/** Response to a verification, if not null. */
	volatile Function<String, String> verification;

	volatile CountDownLatch verificationArrived = new CountDownLatch(0);

	volatile CountDownLatch verificationMayEnd = new CountDownLatch(0);

	volatile CountDownLatch feedMayContinue = new CountDownLatch(0);

	/** Changes in a response. */
	volatile int page = 500;

	volatile boolean snapshotFromStart;

	volatile UnaryOperator<String> snapshotText = UnaryOperator.identity();

	private String epoch = "a";

	FakeRegistry() throws IOException {
		this.port = listen(0);
	}

	private int listen(int at) throws IOException {
		this.server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), at), 0);
		this.server.setExecutor(this.threads);
		this.server.createContext("/", this::handle);
		this.server.start();
		return this.server.getAddress().getPort();
	}

	URI url() {
		return URI.create("http://127.0.0.1:" + this.port);
	}

	void stop() {
		this.server.stop(0);
	}

	void startAgain() throws IOException {
		listen(this.port);
	}

	@Override
	public void close() {
		this.server.stop(0);
		this.threads.shutdownNow();
	}

	/** A document as the registry has it for an active client with a secret. */
	static ObjectNode client(String clientId) {
		ObjectNode client = JSON.createObjectNode();
		client.put("client_id", clientId).put("client_name", clientId).put("status", "active");
		client.put("is_confidential", true).put("scope", "openid payments").put("client_id_issued_at", 1776249000);
		client.putArray("grant_types").add("client_credentials");
		client.putArray("client_auth_methods").add("client_secret_basic");
		client.put("token_endpoint_auth_method", "client_secret_basic");
		return client;
	}

	synchronized void put(ObjectNode client) {
		String clientId = client.path("client_id").asText();
		ObjectNode stored = client.deepCopy().put("revision", this.revisions.merge(clientId, 1L, Long::sum));
		this.clients.put(clientId, stored);
		change(clientId, "update", stored);
	}

	synchronized void delete(String clientId) {
		this.revisions.merge(clientId, 1L, Long::sum);
		ObjectNode gone = this.clients.remove(clientId).deepCopy().put("deleted_at", "2026-04-15T10:30:00Z");
		change(clientId, "delete", gone);
	}

	/** An event that is not a revision. */
	synchronized void event(String clientId, String action) {
		change(clientId, action, this.clients.get(clientId));
	}

	private void change(String clientId, String action, ObjectNode client) {
		ObjectNode change = JSON.createObjectNode();
		change.put("client_id", clientId).put("action", action).put("revision", this.revisions.get(clientId));
		change.set("client", client);
		this.changes.add(change);
		notifyAll();
	}

	/** Forgets the history, as a registry that was restored from a dump does. */
	synchronized void restore() {
		this.epoch = this.epoch + "a";
		this.changes.clear();
		notifyAll();
	}

	private void handle(HttpExchange exchange) throws IOException {
		try (exchange) {
			Response response = respond(exchange);
			byte[] body = response.body.getBytes(StandardCharsets.UTF_8);
			exchange.getResponseHeaders().set("Content-Type", "application/json");
			if (response.status == 503) {
				exchange.getResponseHeaders().set("Retry-After", "7");
			}
			exchange.sendResponseHeaders(response.status, body.length);
			try (OutputStream out = exchange.getResponseBody()) {
				out.write(body);
			}
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
		}
	}

	private record Response(int status, String body) {
	}

	private Response respond(HttpExchange exchange) throws IOException, InterruptedException {
		byte[] request = exchange.getRequestBody().readAllBytes();
		if (this.status != 0) {
			return new Response(this.status, "{\"message\":\"no\"}");
		}
		if (!("Bearer " + this.token).equals(exchange.getRequestHeaders().getFirst("Authorization"))) {
			return new Response(401, "{\"message\":\"no valid token\"}");
		}
		synchronized (this.tenants) {
			this.tenants.add(String.valueOf(exchange.getRequestHeaders().getFirst("X-Tenant-Id")));
		}
		String path = exchange.getRequestURI().getRawPath();
		if (path.equals("/admin/oauth/snapshot")) {
			this.snapshots.incrementAndGet();
			boolean verifiers = exchange.getRequestURI().getQuery().contains("include=secret_verifiers");
			return new Response(200, this.snapshotText.apply(snapshot(verifiers)));
		}
		if (path.equals("/admin/oauth/changes")) {
			Map<String, String> query = new LinkedHashMap<>();
			for (String pair : exchange.getRequestURI().getRawQuery().split("&")) {
				query.put(pair.split("=")[0], pair.split("=")[1]);
			}
			return changes(query.get("after"), Integer.parseInt(query.get("wait_seconds")));
		}
		String[] parts = path.split("/");
		if (path.endsWith("/secret-verifiers")) {
			this.verifierReads.incrementAndGet();
			ObjectNode data = JSON.createObjectNode();
			data.set("secret_verifiers", verifiers(parts[4]));
			return new Response(200, JSON.createObjectNode().set("data", data).toString());
		}
		this.verifications.incrementAndGet();
		this.verificationArrived.countDown();
		String clientId = java.net.URLDecoder.decode(parts[4], StandardCharsets.UTF_8);
		String secret = JSON.readTree(request).path("secret").asText();
		if (this.verification != null) {
			return new Response(200, this.verification.apply(secret));
		}
		if (secret.length() > 512) {
			return new Response(400, "{\"violations\":[{\"field\":\"/secret\"}]}");
		}
		if (!this.revisions.containsKey(clientId)) {
			return new Response(404, "{\"message\":\"client not found\"}");
		}
		boolean valid = this.secrets.contains(clientId + ":" + secret);
		this.verificationMayEnd.await();
		return new Response(200, "{\"data\":{\"valid\":" + valid + (valid ? ",\"max_age_seconds\":10" : "") + "}}");
	}

	private ArrayNode verifiers(String clientId) {
		ArrayNode verifiers = JSON.createArrayNode();
		for (String secret : this.secrets) {
			if (secret.startsWith(clientId + ":")) {
				ObjectNode verifier = verifiers.addObject().put("algorithm", this.algorithm);
				verifier.put("hash", sha256(secret.substring(clientId.length() + 1)));
				if (this.expires != null) {
					verifier.put("expires_at", this.expires);
				}
			}
		}
		return verifiers;
	}

	private static String sha256(String text) {
		try {
			return HexFormat.of()
				.formatHex(MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
		}
		catch (NoSuchAlgorithmException ex) {
			throw new IllegalStateException(ex);
		}
	}

	private synchronized String snapshot(boolean verifiers) {
		StringBuilder text = new StringBuilder();
		text.append("{\"changes_cursor\":\"").append(cursor(this.snapshotFromStart ? 0 : this.changes.size()));
		text.append("\"}\n");
		for (ObjectNode client : this.clients.values()) {
			ObjectNode line = client.deepCopy();
			if (verifiers) {
				line.set("secret_verifiers", verifiers(client.path("client_id").asText()));
			}
			text.append(line).append('\n');
		}
		return text.append("{\"clients\":").append(this.clients.size()).append("}\n").toString();
	}

	private String cursor(int position) {
		return this.epoch + "." + position;
	}

	private Response changes(String after, int waitSeconds) throws InterruptedException {
		int position = Integer.parseInt(after.substring(after.indexOf('.') + 1));
		if (position > 0) {
			this.feedMayContinue.await();
		}
		synchronized (this) {
			long end = System.nanoTime() + waitSeconds * 1_000_000_000L;
			while (after.startsWith(this.epoch + ".") && this.changes.size() <= position && System.nanoTime() < end) {
				wait(Math.max(1, (end - System.nanoTime()) / 1_000_000));
			}
			if (!after.startsWith(this.epoch + ".")) {
				return new Response(400, "{\"violations\":[{\"field\":\"?after\"}]}");
			}
			List<ObjectNode> next = this.changes.subList(position, Math.min(position + this.page, this.changes.size()));
			ObjectNode data = JSON.createObjectNode();
			data.putArray("changes").addAll(next);
			data.put("next", cursor(position + next.size()));
			return new Response(200, JSON.createObjectNode().set("data", data).toString());
		}
	}

	static JsonNode json(String text) throws IOException {
		return JSON.readTree(text);
	}

}
