package io.github.clienteleoauth.spring;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;

class ClienteleMirrorTests {

	private final TestClock clock = new TestClock();

	private final List<ClienteleMirror> mirrors = new ArrayList<>();

	private FakeRegistry registry;

	@TempDir
	Path directory;

	@BeforeEach
	void start() throws IOException {
		this.registry = new FakeRegistry();
	}

	@AfterEach
	void stop() {
		this.mirrors.forEach(ClienteleMirror::close);
		this.registry.close();
	}

	private ClienteleMirror.Builder builder() {
		return ClienteleMirror.builder(this.registry.url(), () -> "token")
			.clock(this.clock)
			.file(this.directory.resolve("mirror.ndjson"));
	}

	private ClienteleMirror started(ClienteleMirror.Builder builder) {
		ClienteleMirror mirror = builder.build();
		this.mirrors.add(mirror);
		mirror.start();
		return mirror;
	}

	private static void until(Callable<Boolean> condition) {
		await().pollInterval(Duration.ofMillis(2)).atMost(Duration.ofSeconds(10)).until(condition);
	}

	private static long revision(ClienteleMirror mirror, String clientId) {
		ClienteleClient client = mirror.find(clientId);
		return (client != null) ? client.revision() : 0;
	}

	@Test
	void followsCreationUpdateSuspensionAndDeletion() {
		this.registry.put(FakeRegistry.client("a"));
		ClienteleMirror mirror = started(builder());
		assertThat(mirror.find("a").document().path("client_name").asText()).isEqualTo("a");

		this.registry.put(FakeRegistry.client("a").put("client_name", "A"));
		until(() -> revision(mirror, "a") == 2);
		assertThat(mirror.find("a").document().path("client_name").asText()).isEqualTo("A");

		this.registry.put(FakeRegistry.client("b"));
		until(() -> mirror.find("b") != null);

		this.registry.put(FakeRegistry.client("a").put("status", "suspended"));
		until(() -> mirror.find("a") == null);
		assertThat(mirror.findById("a").isActive()).isFalse();

		this.registry.put(FakeRegistry.client("a"));
		until(() -> mirror.find("a") != null);

		this.registry.delete("a");
		until(() -> mirror.find("a") == null);
		assertThat(mirror.findById("a")).isNull();
		assertThat(this.registry.snapshots).hasValue(1);
	}

	@Test
	void showsNoClientBeforeTheFeedOfTheSnapshotIsRead() {
		this.registry.put(FakeRegistry.client("a"));
		this.registry.put(FakeRegistry.client("a").put("client_name", "A"));
		this.registry.put(FakeRegistry.client("gone"));
		this.registry.delete("gone");
		this.registry.snapshotFromStart = true;
		this.registry.page = 3; // the creation of "gone", but not its deletion
		this.registry.feedMayContinue = new CountDownLatch(1);
		ClienteleMirror mirror = started(builder().startupTimeout(Duration.ofMillis(500)));
		assertThatExceptionOfType(ClienteleStaleException.class).isThrownBy(() -> mirror.find("gone"));

		this.registry.feedMayContinue.countDown();
		until(() -> mirror.health().usable());
		assertThat(mirror.find("gone")).isNull();
		assertThat(revision(mirror, "a")).isEqualTo(2);
		assertThat(mirror.find("a").document().path("client_name").asText()).isEqualTo("A");
	}

	@Test
	void readsAllClientsAgainWhenItsPositionIsUnknown() {
		this.registry.put(FakeRegistry.client("a"));
		this.registry.put(FakeRegistry.client("b"));
		ClienteleMirror mirror = started(builder());
		this.registry.delete("b");
		this.registry.restore();
		until(() -> mirror.find("b") == null && this.registry.snapshots.get() == 2);
		this.registry.put(FakeRegistry.client("a"));
		until(() -> revision(mirror, "a") == 2);
	}

	@Test
	void readsAllClientsAgainAfterAWhile() {
		this.registry.put(FakeRegistry.client("a"));
		ClienteleMirror mirror = started(builder());
		this.clock.forward(Duration.ofHours(7));
		this.registry.put(FakeRegistry.client("b")); // ends the request that waits
		until(() -> this.registry.snapshots.get() == 2 && mirror.find("b") != null);
	}

	@ParameterizedTest
	@ValueSource(strings = { "", "{}\n", "{\"changes_cursor\":\"a.0\"}\n",
			"{\"changes_cursor\":\"a.0\"}\n{\"clients\":1}\n", "{\"changes_cursor\":\"a.0\"}\n{\"clients\":0}",
			"<html>\n", "{\"changes_cursor\":\"a.0\"}\n{\"client_id\":\"x\"}\n{\"clients\":1}\n" })
	void doesNotUseAnIncompleteSnapshot(String text) {
		this.registry.snapshotText = (complete) -> text;
		ClienteleMirror mirror = started(builder().startupTimeout(Duration.ofMillis(200)));
		until(() -> this.registry.snapshots.get() > 1);
		assertThat(mirror.health().usable()).isFalse();
		assertThat(mirror.health().lastError()).isNotBlank();

		this.registry.snapshotText = (complete) -> complete;
		until(() -> mirror.health().usable());
	}

	@Test
	void startsFromItsFileWhileTheRegistryIsAway() throws IOException {
		this.registry.put(FakeRegistry.client("a"));
		started(builder()).close();
		Path file = this.directory.resolve("mirror.ndjson");
		assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file))).isEqualTo("rw-------");

		this.registry.stop();
		ClienteleMirror mirror = started(builder());
		assertThat(mirror.find("a")).isNotNull();
		assertThat(mirror.health().following()).isFalse();

		this.registry.put(FakeRegistry.client("a").put("status", "suspended"));
		this.registry.startAgain();
		until(() -> mirror.find("a") == null);
		assertThat(this.registry.snapshots).hasValue(1); // it continued from the cursor in the file
		until(() -> mirror.health().following());
	}

	@Test
	void skipsAChangeThatIsOlderThanItsCopy() throws IOException {
		this.registry.put(FakeRegistry.client("a"));
		this.registry.put(FakeRegistry.client("a").put("status", "suspended"));
		started(builder()).close();
		Path file = this.directory.resolve("mirror.ndjson");
		Files.writeString(file, Files.readString(file).replace("\"cursor\":\"a.2\"", "\"cursor\":\"a.0\""));
		this.registry.page = 1;
		this.registry.feedMayContinue = new CountDownLatch(1); // after the first change
		ClienteleMirror mirror = started(builder());
		assertThat(mirror.health().following()).isTrue();
		assertThat(mirror.findById("a").revision()).isEqualTo(2);
		assertThat(mirror.find("a")).isNull();
		this.registry.feedMayContinue.countDown();
	}

	@Test
	void writesItsFileAfterAChange() throws IOException {
		ClienteleMirror mirror = started(builder());
		this.registry.put(FakeRegistry.client("later"));
		until(() -> mirror.find("later") != null);
		this.clock.forward(Duration.ofSeconds(5));
		Path file = this.directory.resolve("mirror.ndjson");
		until(() -> Files.exists(file) && Files.readString(file).contains("later"));
	}

	@Test
	void doesNotUseTheFileOfAnotherTenantOrADamagedOne() throws IOException {
		this.registry.put(FakeRegistry.client("a"));
		started(builder()).close();
		this.registry.stop();
		Duration none = Duration.ofMillis(100);
		assertThat(started(builder().startupTimeout(none)).health().usable()).isTrue();
		assertThat(started(builder().startupTimeout(none).tenant("other")).health().usable()).isFalse();

		Path file = this.directory.resolve("mirror.ndjson");
		List<String> lines = Files.readAllLines(file);
		Files.write(file, lines.subList(0, lines.size() - 1));
		assertThat(started(builder().startupTimeout(none)).health().usable()).isFalse();
		Files.writeString(file, "{\"format\":1}\n");
		assertThat(started(builder().startupTimeout(none)).health().usable()).isFalse();
		Files.writeString(file, "");
		assertThat(started(builder().startupTimeout(none)).health().usable()).isFalse();
	}

	@Test
	void isStaleAfterTooLongWithoutTheRegistryAlsoAcrossARestart() throws IOException {
		this.registry.put(FakeRegistry.client("a"));
		ClienteleMirror mirror = started(builder());
		this.registry.stop();
		this.clock.forward(Duration.ofHours(23));
		assertThat(mirror.find("a")).isNotNull();
		mirror.close();
		ClienteleMirror second = started(builder());
		assertThat(second.find("a")).isNotNull();
		this.clock.forward(Duration.ofHours(2));
		assertThatExceptionOfType(ClienteleStaleException.class).isThrownBy(() -> second.find("a"));
		assertThatExceptionOfType(ClienteleStaleException.class).isThrownBy(() -> second.verifySecret("a", "s"));
		assertThat(second.health().usable()).isFalse();
		assertThat(started(builder().maxStaleness(Duration.ofSeconds(-1))).find("a")).isNotNull();

		this.registry.startAgain();
		until(() -> second.health().usable());
	}

	@Test
	void keepsAPositiveResultUntilItsEnd() {
		this.registry.put(FakeRegistry.client("a"));
		this.registry.secrets.add("a:right");
		ClienteleMirror mirror = started(builder());
		assertThat(mirror.verifySecret("a", "right")).isTrue();
		assertThat(mirror.verifySecret("a", "right")).isTrue();
		assertThat(this.registry.verifications).hasValue(1);
		this.clock.forward(Duration.ofSeconds(10));
		assertThat(mirror.verifySecret("a", "right")).isTrue();
		assertThat(this.registry.verifications).hasValue(2);
	}

	@Test
	void keepsAPositiveResultNoLongerThanTheSecret() {
		this.registry.put(FakeRegistry.client("a"));
		Instant end = this.clock.instant().plusSeconds(2);
		this.registry.verification = (secret) -> "{\"data\":{\"valid\":true,\"max_age_seconds\":10,\"expires_at\":\"" + end
				+ "\"}}";
		ClienteleMirror mirror = started(builder());
		assertThat(mirror.verifySecret("a", "right")).isTrue();
		this.clock.forward(Duration.ofSeconds(1));
		assertThat(mirror.verifySecret("a", "right")).isTrue();
		assertThat(this.registry.verifications).hasValue(1);
		this.clock.forward(Duration.ofSeconds(1));
		mirror.verifySecret("a", "right");
		assertThat(this.registry.verifications).hasValue(2);
	}

	@Test
	void neverKeepsANegativeResult() {
		this.registry.put(FakeRegistry.client("a"));
		ClienteleMirror mirror = started(builder());
		assertThat(mirror.verifySecret("a", "new")).isFalse();
		this.registry.secrets.add("a:new");
		assertThat(mirror.verifySecret("a", "new")).isTrue();
	}

	@Test
	void forgetsResultsAtAChangeAndAtAnEventWithoutARevision() {
		this.registry.put(FakeRegistry.client("a"));
		this.registry.secrets.add("a:s");
		ClienteleMirror mirror = started(builder());
		assertThat(mirror.verifySecret("a", "s")).isTrue();
		this.registry.secrets.clear();
		this.registry.put(FakeRegistry.client("a"));
		until(() -> !mirror.verifySecret("a", "s"));

		this.registry.secrets.add("a:s");
		assertThat(mirror.verifySecret("a", "s")).isTrue();
		this.registry.secrets.clear();
		this.registry.event("a", "expire_secret");
		until(() -> !mirror.verifySecret("a", "s"));
	}

	@Test
	void forgetsAResultThatArrivesAfterAChange() {
		this.registry.put(FakeRegistry.client("a"));
		this.registry.secrets.add("a:s");
		ClienteleMirror mirror = started(builder());
		this.registry.verificationArrived = new CountDownLatch(1);
		this.registry.verificationMayEnd = new CountDownLatch(1);
		CompletableFuture<Boolean> early = CompletableFuture.supplyAsync(() -> mirror.verifySecret("a", "s"));
		until(() -> this.registry.verificationArrived.getCount() == 0);
		this.registry.put(FakeRegistry.client("a"));
		until(() -> revision(mirror, "a") == 2);
		this.registry.secrets.clear();
		this.registry.verificationMayEnd.countDown();
		assertThat(early.join()).isTrue();
		assertThat(mirror.verifySecret("a", "s")).isFalse();
	}

	@Test
	void verifiesSecretsWithHashesWhileTheRegistryIsAway() throws IOException {
		this.registry.put(FakeRegistry.client("a"));
		this.registry.secrets.add("a:one");
		ClienteleMirror mirror = started(builder().localVerification(true));
		assertThat(mirror.verifySecret("a", "one")).isTrue();
		assertThat(mirror.find("a").document().has("secret_verifiers")).isFalse();
		assertThat(this.registry.verifications).hasValue(0);
		assertThat(mirror.verifySecret("a", "two")).isFalse(); // as the registry says
		assertThat(this.registry.verifications).hasValue(1);

		this.registry.secrets.clear();
		this.registry.secrets.add("a:two");
		this.registry.put(FakeRegistry.client("a"));
		until(() -> this.registry.verifierReads.get() == 1 && mirror.verifySecret("a", "two"));
		assertThat(mirror.verifySecret("a", "one")).isFalse();

		this.registry.secrets.clear();
		this.registry.event("a", "expire_secret");
		until(() -> !mirror.verifySecret("a", "two"));

		this.registry.secrets.add("a:three");
		this.registry.expires = this.clock.instant().plusSeconds(60).toString();
		this.registry.put(FakeRegistry.client("a"));
		until(() -> this.registry.verifierReads.get() == 3 && mirror.verifySecret("a", "three"));
		mirror.close();
		this.registry.stop();
		ClienteleMirror second = started(builder().localVerification(true));
		assertThat(second.verifySecret("a", "three")).isTrue();
		assertThatExceptionOfType(ClienteleUnavailableException.class).isThrownBy(() -> second.verifySecret("a", "x"));
		this.clock.forward(Duration.ofSeconds(60));
		assertThatExceptionOfType(ClienteleUnavailableException.class)
			.isThrownBy(() -> second.verifySecret("a", "three"));
	}

	@Test
	void leavesHashesOfOtherAlgorithmsToTheRegistry() {
		this.registry.put(FakeRegistry.client("a"));
		this.registry.secrets.add("a:one");
		this.registry.algorithm = "hmac-sha-256";
		ClienteleMirror mirror = started(builder().localVerification(true));
		assertThat(mirror.verifySecret("a", "one")).isTrue();
		assertThat(this.registry.verifications).hasValue(1);
	}

	@Test
	void keepsNoHashesUnlessAsked() throws IOException {
		this.registry.put(FakeRegistry.client("a"));
		this.registry.secrets.add("a:one");
		ClienteleMirror mirror = started(builder());
		this.registry.put(FakeRegistry.client("a"));
		until(() -> revision(mirror, "a") == 2);
		mirror.close();
		assertThat(this.registry.verifierReads).hasValue(0);
		assertThat(this.directory.resolve("mirror.ndjson")).content().doesNotContain("secret_verifiers");
	}

	@Test
	void aValueThatCannotBeASecretIsWrong() {
		this.registry.put(FakeRegistry.client("a"));
		this.registry.put(FakeRegistry.client("s").put("status", "suspended"));
		ClienteleMirror mirror = started(builder());
		assertThat(mirror.verifySecret("a", "")).isFalse();
		assertThat(mirror.verifySecret("a", "x".repeat(600))).isFalse();
		assertThat(mirror.verifySecret("a", "x".repeat(100_000))).isFalse();
		assertThat(mirror.verifySecret("unknown", "x")).isFalse();
		assertThat(mirror.verifySecret("s", "x")).isFalse();
		assertThat(this.registry.verifications).hasValue(1);
	}

	@ParameterizedTest
	@ValueSource(ints = { 302, 400, 401, 403, 429, 500, 503 })
	void aProblemOfTheRegistryIsNotAWrongSecret(int status) {
		this.registry.put(FakeRegistry.client("a"));
		ClienteleMirror mirror = started(builder());
		this.registry.status = status;
		assertThatExceptionOfType(ClienteleUnavailableException.class).isThrownBy(() -> mirror.verifySecret("a", "s"))
			.satisfies((ex) -> assertThat(ex.retryAfter()).isEqualTo((status == 503) ? Duration.ofSeconds(7) : null));
	}

	@ParameterizedTest
	@ValueSource(strings = { "", "{}", "{\"data\":{}}", "{\"data\":{\"valid\":\"true\"}}", "<html>" })
	void aResponseWithoutAResultIsNotAWrongSecret(String text) {
		this.registry.put(FakeRegistry.client("a"));
		ClienteleMirror mirror = started(builder());
		this.registry.verification = (secret) -> text;
		assertThatExceptionOfType(ClienteleUnavailableException.class).isThrownBy(() -> mirror.verifySecret("a", "s"));
	}

	@Test
	void aRegistryThatIsAwayOrSlowIsNotAWrongSecret() {
		this.registry.put(FakeRegistry.client("a"));
		this.registry.verificationMayEnd = new CountDownLatch(1);
		ClienteleMirror mirror = started(builder().requestTimeout(Duration.ofMillis(200)));
		assertThatExceptionOfType(ClienteleUnavailableException.class).isThrownBy(() -> mirror.verifySecret("a", "s"));
		this.registry.verificationMayEnd.countDown();
		this.registry.stop();
		assertThatExceptionOfType(ClienteleUnavailableException.class).isThrownBy(() -> mirror.verifySecret("a", "s"));
		assertThat(mirror.find("a")).isNotNull();
	}

	@Test
	void readsTheTokenAgainWhenItIsRejected() throws IOException {
		Path file = this.directory.resolve("token");
		Files.writeString(file, "token\n");
		this.registry.put(FakeRegistry.client("a"));
		this.registry.secrets.add("a:s");
		ClienteleMirror mirror = started(
				ClienteleMirror.builder(this.registry.url(), new FileTokenSource(file)).tenant("t1"));
		assertThat(mirror.verifySecret("a", "s")).isTrue();
		this.registry.token = "other";
		var time = Files.getLastModifiedTime(file);
		Files.writeString(file, "other\n");
		Files.setLastModifiedTime(file, time); // nothing shows that it changed
		this.registry.put(FakeRegistry.client("a"));
		until(() -> revision(mirror, "a") == 2);
		assertThat(mirror.verifySecret("a", "s")).isTrue();
		assertThat(this.registry.tenants).containsOnly("t1");
	}

	@Test
	void shortensLongIds() {
		String longId = "x".repeat(255);
		this.registry.put(FakeRegistry.client(longId));
		this.registry.put(FakeRegistry.client("sha-256:x"));
		ClienteleMirror mirror = started(builder());
		String id = Copy.idOf(longId);
		assertThat(id).hasSizeLessThanOrEqualTo(100);
		assertThat(mirror.findById(id).clientId()).isEqualTo(longId);
		assertThat(mirror.findById(longId)).isNull();
		assertThat(mirror.findById("sha-256:x")).isNull(); // no client can choose the id of another one
		assertThat(mirror.findById(Copy.idOf("sha-256:x")).clientId()).isEqualTo("sha-256:x");
		this.registry.delete(longId);
		until(() -> mirror.findById(id) == null);
	}

}
