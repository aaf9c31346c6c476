package io.github.clienteleoauth.spring;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Clock;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

import javax.net.ssl.SSLContext;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;

/**
 * A copy of the clients of one tenant of a Clientele registry, which follows the registry
 * within milliseconds and keeps working while it is away.
 * <p>
 * {@link #start()} reads the file of an earlier run, if there is one, and starts a thread
 * that reads a snapshot and then follows the change feed. {@link #find} reads from memory.
 * {@link #verifySecret} asks the registry, unless it has found the same secret valid a
 * moment ago. What cannot be known is a {@link ClienteleUnavailableException}.
 */
public final class ClienteleMirror implements AutoCloseable {

	private static final Log logger = LogFactory.getLog(ClienteleMirror.class);

	private static final String FORM = "format=rfc7591&effective=true";

	private static final int MAX_FEED_BYTES = 16 << 20;

	private static final int MAX_VERIFICATION_BYTES = 256 << 10;

	/** Longer values are not secrets of the registry. */
	private static final int MAX_SECRET_CHARACTERS = 4096;

	/** Requests that may wait for the registry; more fail at once, so that the server keeps threads for others. */
	private static final int MAX_VERIFICATIONS = 64;

	private static final Duration FIRST_RETRY = Duration.ofMillis(50);

	private static final Duration MAX_RETRY = Duration.ofMillis(500);

	private static final Duration WRITE_INTERVAL = Duration.ofSeconds(1);

	private static final Duration CATCH_UP_LIMIT = Duration.ofSeconds(30);

	private static final Duration RESYNC_RETRY = Duration.ofMinutes(1);

	private static final Duration SLOW_RESPONSE = Duration.ofSeconds(30);

	private final RegistryHttp http;

	private final MirrorFile file;

	private final boolean localVerification;

	private final Duration maxStaleness;

	private final Duration startupTimeout;

	private final Duration requestTimeout;

	private final Duration resyncInterval;

	private final Clock clock;

	private final Semaphore verifications = new Semaphore(MAX_VERIFICATIONS);

	private final ScheduledThreadPoolExecutor timer = new ScheduledThreadPoolExecutor(1,
			(task) -> daemon(task, "clientele-file"));

	private final Thread follower = daemon(this::follow, "clientele-mirror");

	private final CountDownLatch started = new CountDownLatch(1);

	private final AtomicBoolean dirty = new AtomicBoolean();

	private volatile boolean closed;

	private volatile Copy copy;

	private volatile boolean following;

	private volatile String lastError;

	private volatile String fileError;

	// Those below belong to the thread of the mirror.

	/** Clients whose hashes of secrets are to be read. */
	private final Set<String> withoutVerifiers = new LinkedHashSet<>();

	private Instant resyncAt = Instant.EPOCH;

	private Instant confirmedInFile = Instant.EPOCH;

	private Instant written = Instant.EPOCH;

	private ClienteleMirror(Builder builder) {
		URI url = Objects.requireNonNull(builder.url, "url");
		this.http = new RegistryHttp(url, builder.tenant, Objects.requireNonNull(builder.tokens, "tokens"),
				builder.ssl);
		this.file = (builder.file != null)
				? new MirrorFile(builder.file, url + "|" + ((builder.tenant != null) ? builder.tenant : "")
						+ (builder.localVerification ? "|verifiers" : ""))
				: null;
		this.localVerification = builder.localVerification;
		this.maxStaleness = builder.maxStaleness;
		this.startupTimeout = builder.startupTimeout;
		this.requestTimeout = builder.requestTimeout;
		this.resyncInterval = builder.resyncInterval;
		this.clock = builder.clock;
		this.timer.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
	}

	/**
	 * Returns a builder.
	 * @param url the root URL of the registry
	 * @param tokens the source of access tokens for it
	 * @return the builder
	 */
	public static Builder builder(URI url, ClienteleTokenSource tokens) {
		return new Builder(url, tokens);
	}

	private static Thread daemon(Runnable task, String name) {
		Thread thread = new Thread(task, name);
		thread.setDaemon(true);
		return thread;
	}

	/**
	 * Starts to follow the registry, and waits up to the startup timeout for the clients. It
	 * returns sooner if there is a file and the registry cannot be reached. Without both, the
	 * mirror keeps trying, and until it succeeds reads fail with {@link ClienteleStaleException}.
	 */
	public void start() {
		if (this.file != null) {
			try {
				Copy earlier = this.file.read();
				if (earlier != null) {
					Instant now = this.clock.instant();
					earlier.confirmedAt = earlier.confirmedAt.isAfter(now) ? now : earlier.confirmedAt;
					this.resyncAt = nextResync(now);
					this.copy = earlier;
				}
			}
			catch (IOException ex) {
				logger.warn("The file of the mirror cannot be used: " + ex.getMessage());
			}
		}
		this.follower.start();
		try {
			if (!this.started.await(this.startupTimeout.toMillis(), TimeUnit.MILLISECONDS)) {
				logger.warn("The registry did not respond within " + this.startupTimeout
						+ ((this.copy != null) ? "; using the clients of the file" : "; no clients yet"));
			}
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
		}
	}

	/** Stops following the registry, and writes the file if it is not up to date. */
	@Override
	public void close() {
		this.closed = true;
		this.follower.interrupt();
		this.timer.shutdown(); // without an interrupt, which would spoil a file that is being written
		try {
			this.follower.join(5000);
			this.timer.awaitTermination(5, TimeUnit.SECONDS);
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
		}
		write();
	}

	/**
	 * Returns an active client.
	 * @param clientId the client identifier
	 * @return the client, or null if it does not exist, is suspended or deleted
	 * @throws ClienteleStaleException if the copy is missing or too old
	 */
	public ClienteleClient find(String clientId) {
		ClienteleClient client = usable().get(clientId);
		return (client != null && client.isActive()) ? client : null;
	}

	/** Returns the client with the id of its RegisteredClient, active or suspended, or null. */
	ClienteleClient findById(String id) {
		return usable().getById(id);
	}

	private Copy usable() {
		Copy current = this.copy;
		if (current == null) {
			throw new ClienteleStaleException("the clients have not been read from the registry yet");
		}
		if (isStale(current)) {
			throw new ClienteleStaleException("the copy of the clients was last confirmed at " + current.confirmedAt);
		}
		return current;
	}

	private boolean isStale(Copy current) {
		return !this.maxStaleness.isNegative()
				&& Duration.between(current.confirmedAt, this.clock.instant()).compareTo(this.maxStaleness) > 0;
	}

	/**
	 * Verifies a secret.
	 * @param clientId the client identifier
	 * @param secret the value that the client sent
	 * @return whether it is a valid secret of the client, which must be active
	 * @throws ClienteleUnavailableException if that cannot be known at the moment
	 */
	public boolean verifySecret(String clientId, String secret) {
		ClienteleClient client = find(clientId);
		if (client == null || secret.isEmpty() || secret.length() > MAX_SECRET_CHARACTERS) {
			return false;
		}
		String digest = VerifiedSecrets.digest(secret);
		// The results belong to this object. If a change arrives before the response does, the
		// mirror has another one by then, and this result is forgotten with this object.
		Instant now = this.clock.instant();
		if (client.verifiedSecrets.contains(digest, now) || this.localVerification && client.hasSecret(secret, now)) {
			return true;
		}
		if (!this.verifications.tryAcquire()) {
			throw new ClienteleUnavailableException("too many secrets are being verified", null, Duration.ofSeconds(1));
		}
		try {
			Instant sent = this.clock.instant();
			byte[] body = ClienteleClient.JSON.writeValueAsBytes(Map.of("secret", secret));
			JsonNode data = this.http.post("/clients/" + RegistryHttp.segment(clientId) + "/verify-secret", body,
					MAX_VERIFICATION_BYTES, this.requestTimeout)
				.path("data");
			JsonNode valid = data.path("valid");
			if (!valid.isBoolean()) {
				throw new IOException("the response has no result; is this the URL of a registry?");
			}
			if (valid.booleanValue()) {
				keep(client, digest, data, sent);
			}
			return valid.booleanValue();
		}
		catch (RegistryHttp.ProblemException ex) {
			// A value that the API does not accept cannot be a secret; and a client may have been
			// deleted a moment ago.
			if (ex.concernsOnly("/secret") || ex.status() == 404) {
				return false;
			}
			throw unavailable("a secret of " + clientId + " could not be verified", ex, ex.retryAfter());
		}
		catch (IOException ex) {
			throw unavailable("a secret of " + clientId + " could not be verified", ex, null);
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
			throw unavailable("a secret of " + clientId + " could not be verified", ex, null);
		}
		finally {
			this.verifications.release();
		}
	}

	private static ClienteleUnavailableException unavailable(String message, Exception cause, Duration retryAfter) {
		return new ClienteleUnavailableException(message + ": " + cause.getMessage(), cause, retryAfter);
	}

	private static void keep(ClienteleClient client, String digest, JsonNode data, Instant sent) {
		long maxAge = Math.min(data.path("max_age_seconds").asLong(0), Duration.ofDays(1).toSeconds());
		if (maxAge <= 0) {
			return;
		}
		Instant end = sent.plusSeconds(maxAge);
		if (data.path("expires_at").isTextual()) {
			try {
				Instant expires = Instant.parse(data.path("expires_at").textValue());
				end = expires.isBefore(end) ? expires : end;
			}
			catch (DateTimeException ex) {
				return;
			}
		}
		client.verifiedSecrets.add(digest, end);
	}

	/**
	 * Returns the state of the mirror.
	 * @return the state
	 */
	public Health health() {
		Copy current = this.copy;
		return new Health(current != null && !isStale(current), this.following, (current != null) ? current.size() : 0,
				(current != null) ? current.confirmedAt : null, this.lastError, this.fileError);
	}

	/**
	 * The state of a mirror.
	 *
	 * @param usable whether clients can be read: the copy exists and is not stale
	 * @param following whether the last request to the registry succeeded
	 * @param clients the number of clients in the copy, suspended ones included
	 * @param confirmedAt when the registry last confirmed that the copy is current, or null
	 * @param lastError why the registry cannot be followed, or null
	 * @param fileError why the file could not be written, or null
	 */
	public record Health(boolean usable, boolean following, int clients, Instant confirmedAt, String lastError,
			String fileError) {
	}

	private void follow() {
		int failures = 0;
		while (!this.closed) {
			try {
				Instant now = this.clock.instant();
				if (this.copy == null || !now.isBefore(this.resyncAt)) {
					// If it fails, the feed is followed for a while before the next try.
					this.resyncAt = now.plus(RESYNC_RETRY);
					resync();
				}
				// The first request after a start with a file does not wait, so that the server
				// starts with current clients.
				poll(this.copy, this.following ? pollSeconds() : 0);
				if (failures > 0) {
					logger.info("Following the registry again");
				}
				failures = 0;
				this.following = true;
				this.lastError = null;
				this.started.countDown();
			}
			catch (LostCursorException ex) {
				logger.info("The registry does not know the position in the change feed; reading all clients again");
				this.resyncAt = Instant.EPOCH;
				// The first time at once; a registry that does not know its own cursors must not be
				// asked for snapshots without a pause.
				if (failures++ > 0 && !pause(failures, null)) {
					return;
				}
			}
			catch (InterruptedException ex) {
				if (this.closed) {
					return;
				}
			}
			catch (Exception ex) {
				failures++;
				failed(ex, failures);
				Duration retryAfter = (ex instanceof RegistryHttp.ProblemException problem) ? problem.retryAfter()
						: null;
				if (!pause(failures, retryAfter)) {
					return;
				}
			}
		}
	}

	private void failed(Exception ex, int failures) {
		if (this.closed) {
			return;
		}
		if (failures == 1) {
			logger.warn("The registry cannot be followed: " + ex.getMessage());
		}
		this.following = false;
		this.lastError = ex.getMessage();
		if (this.copy != null) {
			this.started.countDown();
		}
	}

	/** Waits before the next try, and reports whether there is to be one. */
	private boolean pause(int failures, Duration retryAfter) {
		long max = Math.min(FIRST_RETRY.toMillis() << Math.min(failures - 1, 16), MAX_RETRY.toMillis());
		long millis = max / 2 + ThreadLocalRandom.current().nextLong(max / 2 + 1);
		if (retryAfter != null) {
			millis += retryAfter.toMillis();
		}
		try {
			Thread.sleep(millis);
		}
		catch (InterruptedException ex) {
			return !this.closed;
		}
		return true;
	}

	/** Long enough to save requests, short enough to confirm the copy long before it is stale. */
	private long pollSeconds() {
		return this.maxStaleness.isNegative() ? 30 : Math.max(1, Math.min(30, this.maxStaleness.toSeconds() / 4));
	}

	/** Reads all clients into a new copy, which replaces the old one when it is complete and current. */
	private void resync() throws IOException, InterruptedException {
		this.withoutVerifiers.clear();
		Copy next = snapshot();
		// The snapshot may lack a client that was deleted in the meantime, and the feed may have an
		// earlier change of it. So the copy is right only at the end of the feed.
		Instant end = this.clock.instant().plus(CATCH_UP_LIMIT);
		while (apply(next, changes(next.cursor, 0)) > 0 && this.clock.instant().isBefore(end)) {
			next.confirmedAt = this.clock.instant();
		}
		next.confirmedAt = this.clock.instant();
		this.copy = next;
		this.resyncAt = nextResync(next.confirmedAt);
		this.dirty.set(true);
		logger.info("Read " + next.size() + " clients from the registry");
	}

	/** Spreads the snapshots of several servers. */
	private Instant nextResync(Instant now) {
		long millis = this.resyncInterval.toMillis();
		return now.plusMillis(millis - ThreadLocalRandom.current().nextLong(millis / 4 + 1));
	}

	private Copy snapshot() throws IOException, InterruptedException {
		InputStream in = this.http.stream(
				"/snapshot?" + FORM + (this.localVerification ? "&include=secret_verifiers" : ""), SLOW_RESPONSE);
		AtomicLong progress = new AtomicLong(System.nanoTime());
		ScheduledFuture<?> watchdog = this.timer.scheduleWithFixedDelay(() -> {
			if (System.nanoTime() - progress.get() > SLOW_RESPONSE.toNanos()) {
				closeQuietly(in); // ends the read that waits
			}
		}, 1, 1, TimeUnit.SECONDS);
		try (Lines lines = new Lines(in)) {
			byte[] first = lines.next();
			JsonNode cursor = (first != null) ? ClienteleClient.JSON.readTree(first).path("changes_cursor")
					: ClienteleClient.JSON.missingNode();
			if (!cursor.isTextual()) {
				throw new IOException("the response is not a snapshot; is this the URL of a registry?");
			}
			Copy next = new Copy(cursor.textValue(), this.clock.instant());
			long clients = 0;
			for (byte[] line = lines.next(); line != null; line = lines.next()) {
				progress.set(System.nanoTime());
				JsonNode node = ClienteleClient.JSON.readTree(line);
				if (node.has("client_id")) {
					next.put(ClienteleClient.of(line, node));
					clients++;
				}
				else if (node.has("unreadable")) {
					logger.warn("The registry cannot read these clients: " + node.path("unreadable"));
				}
				else if (node.has("clients")) {
					if (node.path("clients").asLong() != clients) {
						throw new IOException("the snapshot has " + clients + " of " + node.path("clients") + " clients");
					}
					return next;
				}
			}
			throw new IOException("the snapshot is incomplete");
		}
		finally {
			watchdog.cancel(false);
		}
	}

	private static void closeQuietly(InputStream in) {
		try {
			in.close();
		}
		catch (IOException ex) {
			logger.debug("closing a response", ex);
		}
	}

	private void poll(Copy current, long waitSeconds) throws IOException, InterruptedException {
		JsonNode data = changes(current.cursor, waitSeconds);
		if (apply(current, data) > 0) {
			this.dirty.set(true);
		}
		current.confirmedAt = this.clock.instant();
		if (this.localVerification) {
			readVerifiers(current);
		}
		scheduleWrite(current);
	}

	/** Reads the hashes of the secrets of changed clients. Until then the registry verifies their secrets. */
	private void readVerifiers(Copy current) throws IOException, InterruptedException {
		for (Iterator<String> i = this.withoutVerifiers.iterator(); i.hasNext();) {
			ClienteleClient client = current.get(i.next());
			if (client != null) {
				try {
					JsonNode data = this.http.get("/clients/" + RegistryHttp.segment(client.clientId()) + "/secret-verifiers",
							MAX_VERIFICATION_BYTES, SLOW_RESPONSE)
						.path("data");
					current.put(client.with(data.path(SecretVerifiers.FIELD)));
					this.dirty.set(true);
				}
				catch (RegistryHttp.ProblemException ex) {
					if (ex.status() != 404) { // it was deleted a moment ago
						throw ex;
					}
				}
			}
			i.remove();
		}
	}

	private JsonNode changes(String cursor, long waitSeconds) throws IOException, InterruptedException {
		String path = "/changes?" + FORM + "&limit=500&wait_seconds=" + waitSeconds + "&after="
				+ URLEncoder.encode(cursor, StandardCharsets.UTF_8);
		try {
			JsonNode data = this.http.get(path, MAX_FEED_BYTES, SLOW_RESPONSE.plusSeconds(waitSeconds)).path("data");
			if (!data.path("changes").isArray() || !data.path("next").isTextual()) {
				throw new IOException("the response has no changes; is this the URL of a registry?");
			}
			return data;
		}
		catch (RegistryHttp.ProblemException ex) {
			if (ex.concernsOnly("?after")) {
				throw new LostCursorException();
			}
			throw ex;
		}
	}

	/** Applies changes to a copy, and returns their number. */
	private int apply(Copy copy, JsonNode data) throws IOException {
		JsonNode changes = data.path("changes");
		for (JsonNode change : changes) {
			apply(copy, change, change.path("client_id").asText());
		}
		if (!this.localVerification) {
			this.withoutVerifiers.clear();
		}
		copy.cursor = data.path("next").textValue();
		return changes.size();
	}

	private void apply(Copy copy, JsonNode change, String clientId) throws IOException {
		ClienteleClient old = copy.get(clientId);
		long revision = change.path("revision").asLong();
		JsonNode node = change.path("client");
		if (old != null && revision < old.revision()) {
			return;
		}
		this.withoutVerifiers.add(clientId);
		if (old != null && revision == old.revision()) {
			// An event without a new revision, such as the end of a secret, ends the results of
			// verifications as well.
			copy.put(this.localVerification ? old.with(null) : old.fresh());
			return;
		}
		String action = change.path("action").asText();
		if (action.equals("delete") || action.equals("purge") || node.has("deleted_at")) {
			copy.remove(clientId);
			return;
		}
		if (!(node instanceof ObjectNode document) || !clientId.equals(node.path("client_id").asText())) {
			throw new IOException("a change of " + clientId + " has no client");
		}
		document.put("revision", revision);
		copy.put(ClienteleClient.of(ClienteleClient.JSON.writeValueAsBytes(document), document));
	}

	/** Writes the file soon, if the copy has changed or the time in the file is getting old. */
	private void scheduleWrite(Copy current) {
		if (this.file == null) {
			return;
		}
		Duration refresh = this.maxStaleness.isNegative() ? Duration.ofHours(1) : this.maxStaleness.dividedBy(20);
		if (!this.dirty.get() && current.confirmedAt.isBefore(this.confirmedInFile.plus(refresh))) {
			return;
		}
		this.dirty.set(true);
		this.confirmedInFile = current.confirmedAt;
		Instant earliest = this.written.plus(WRITE_INTERVAL);
		long delay = Math.max(0, Duration.between(this.clock.instant(), earliest).toMillis());
		this.written = this.clock.instant().plusMillis(delay);
		this.timer.schedule(this::write, delay, TimeUnit.MILLISECONDS);
	}

	private synchronized void write() {
		Copy current = this.copy;
		if (this.file == null || current == null || !this.dirty.getAndSet(false)) {
			return;
		}
		try {
			this.file.write(current);
			this.fileError = null;
		}
		catch (IOException ex) {
			this.dirty.set(true); // the next change tries again
			if (this.fileError == null) {
				logger.warn("The file of the mirror cannot be written: " + ex);
			}
			this.fileError = ex.toString();
		}
	}

	/** The registry does not know the position: it was restored, or failed over. */
	private static final class LostCursorException extends IOException {

		private static final long serialVersionUID = 1L;

	}

	/** Settings of a mirror; all but the URL and the token have defaults. */
	public static final class Builder {

		private final URI url;

		private final ClienteleTokenSource tokens;

		private String tenant;

		private Path file;

		private boolean localVerification;

		private Duration maxStaleness = Duration.ofHours(24);

		private Duration startupTimeout = Duration.ofSeconds(10);

		private Duration requestTimeout = Duration.ofSeconds(5);

		private Duration resyncInterval = Duration.ofHours(6);

		private SSLContext ssl;

		private Clock clock = Clock.systemUTC();

		private Builder(URI url, ClienteleTokenSource tokens) {
			this.url = url;
			this.tokens = tokens;
		}

		/**
		 * Sets the tenant, for a token that may act in several.
		 * @param tenant the tenant, or null for that of the token
		 * @return this
		 */
		public Builder tenant(String tenant) {
			this.tenant = tenant;
			return this;
		}

		/**
		 * Sets the file that lets the server start while the registry is away. Each process
		 * needs its own.
		 * @param file the file, or null for none
		 * @return this
		 */
		public Builder file(Path file) {
			this.file = file;
			return this;
		}

		/**
		 * Sets whether the hashes of secrets are kept, so that secrets are verified without the
		 * registry. The token then needs the scope {@code clients:verifiers} as well.
		 * @param localVerification whether they are; default false
		 * @return this
		 */
		public Builder localVerification(boolean localVerification) {
			this.localVerification = localVerification;
			return this;
		}

		/**
		 * Sets how long the copy may be used without a response of the registry.
		 * @param maxStaleness the duration; negative for no limit; default 24 hours
		 * @return this
		 */
		public Builder maxStaleness(Duration maxStaleness) {
			this.maxStaleness = maxStaleness;
			return this;
		}

		/**
		 * Sets how long {@link ClienteleMirror#start()} waits for the clients.
		 * @param startupTimeout the duration; default 10 seconds
		 * @return this
		 */
		public Builder startupTimeout(Duration startupTimeout) {
			this.startupTimeout = startupTimeout;
			return this;
		}

		/**
		 * Sets how long a verification may take.
		 * @param requestTimeout the duration; default 5 seconds
		 * @return this
		 */
		public Builder requestTimeout(Duration requestTimeout) {
			this.requestTimeout = requestTimeout;
			return this;
		}

		/**
		 * Sets how often all clients are read again although the feed has all changes. It is
		 * for changes of the registry's configuration, which are not in the feed.
		 * @param resyncInterval the duration; default 6 hours
		 * @return this
		 */
		public Builder resyncInterval(Duration resyncInterval) {
			this.resyncInterval = resyncInterval;
			return this;
		}

		/**
		 * Sets how the connection to the registry is secured.
		 * @param ssl the context, or null for that of the platform
		 * @return this
		 */
		public Builder sslContext(SSLContext ssl) {
			this.ssl = ssl;
			return this;
		}

		Builder clock(Clock clock) {
			this.clock = clock;
			return this;
		}

		/**
		 * Makes the mirror, which does nothing before {@link ClienteleMirror#start()}.
		 * @return the mirror
		 */
		public ClienteleMirror build() {
			return new ClienteleMirror(this);
		}

	}

}
