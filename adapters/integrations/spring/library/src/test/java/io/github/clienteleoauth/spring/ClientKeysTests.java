package io.github.clienteleoauth.spring;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;

import com.fasterxml.jackson.databind.node.ObjectNode;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.OctetSequenceKey;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.sun.net.httpserver.HttpServer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

class ClientKeysTests {

	private final TestClock clock = new TestClock();

	private final AtomicInteger requests = new AtomicInteger();

	private final ClientKeys keys = new ClientKeys(Set.of("127.0.0.1"), this.clock);

	private HttpServer server;

	private volatile String content;

	private volatile int status = 200;

	@BeforeEach
	void start() throws IOException {
		this.server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
		this.server.createContext("/", (exchange) -> {
			this.requests.incrementAndGet();
			byte[] body = this.content.getBytes(StandardCharsets.UTF_8);
			exchange.getResponseHeaders().set("Location", "/elsewhere");
			exchange.sendResponseHeaders(this.status, body.length);
			exchange.getResponseBody().write(body);
			exchange.close();
		});
		this.server.start();
	}

	@AfterEach
	void stop() {
		this.server.stop(0);
	}

	private static String set(String... keyIds) throws Exception {
		StringBuilder text = new StringBuilder();
		for (String keyId : keyIds) {
			text.append(text.isEmpty() ? "" : ",").append(new ECKeyGenerator(Curve.P_256).keyID(keyId).generate());
		}
		return "{\"keys\":[" + text + "]}";
	}

	private ClienteleClient client(String jwksUri) throws IOException {
		return of(FakeRegistry.client("a").put("jwks_uri", jwksUri));
	}

	private ClienteleClient client() throws IOException {
		return client("http://127.0.0.1:" + this.server.getAddress().getPort() + "/jwks.json");
	}

	private static ClienteleClient of(ObjectNode document) throws IOException {
		document.put("revision", 1);
		return ClienteleClient.of(FakeRegistry.JSON.writeValueAsBytes(document), document);
	}

	@Test
	void keepsKeysForAMinute() throws Exception {
		this.content = set("1");
		assertThat(this.keys.get(client(), "1").size()).isEqualTo(1);
		this.clock.forward(Duration.ofSeconds(59));
		this.keys.get(client(), "1");
		assertThat(this.requests).hasValue(1);
		this.clock.forward(Duration.ofSeconds(1));
		this.content = set("2");
		assertThat(this.keys.get(client(), "1").getKeyByKeyId("1")).isNull();
		assertThat(this.requests).hasValue(2);
	}

	@Test
	void fetchesAgainForAnUnknownKeyButNotAtOnce() throws Exception {
		this.content = set("1");
		this.keys.get(client(), "1");
		this.content = set("1", "2");
		assertThat(this.keys.get(client(), "2").getKeyByKeyId("2")).isNull();
		this.clock.forward(Duration.ofSeconds(5));
		assertThat(this.keys.get(client(), "2").getKeyByKeyId("2")).isNotNull();
		assertThat(this.requests).hasValue(2);
	}

	@Test
	void cannotKnowWhenTheKeysCannotBeFetched() throws Exception {
		this.content = set("1");
		this.keys.get(client(), "1");
		this.status = 500;
		this.clock.forward(Duration.ofSeconds(30));
		assertThat(this.keys.get(client(), "unknown").getKeyByKeyId("1")).isNotNull();
		this.clock.forward(Duration.ofSeconds(60));
		assertThatExceptionOfType(ClienteleUnavailableException.class).isThrownBy(() -> this.keys.get(client(), "1"));
		int before = this.requests.get();
		assertThatExceptionOfType(ClienteleUnavailableException.class).isThrownBy(() -> this.keys.get(client(), "1"));
		assertThat(this.requests).hasValue(before);
		this.status = 200;
		this.clock.forward(Duration.ofSeconds(5));
		assertThat(this.keys.get(client(), "1").size()).isEqualTo(1);
	}

	@ParameterizedTest
	@ValueSource(strings = { "", "{}", "[]", "{\"keys\":1}", "<html>" })
	void rejectsWhatIsNoKeySet(String text) throws Exception {
		this.content = text;
		assertThatExceptionOfType(ClienteleUnavailableException.class).isThrownBy(() -> this.keys.get(client(), "1"));
	}

	@Test
	void followsNoRedirectAndReadsNoEndlessResponse() throws Exception {
		this.content = set("1");
		this.status = 302;
		assertThatExceptionOfType(ClienteleUnavailableException.class).isThrownBy(() -> this.keys.get(client(), "1"));
		assertThat(this.requests).hasValue(1);
		this.status = 200;
		this.content = "{\"keys\":[],\"x\":\"" + "x".repeat(600_000) + "\"}";
		this.clock.forward(Duration.ofSeconds(5));
		assertThatExceptionOfType(ClienteleUnavailableException.class).isThrownBy(() -> this.keys.get(client(), "1"))
			.withMessageContaining("longer");
	}

	@ParameterizedTest
	@CsvSource({ "https://localhost/jwks.json,the address is not allowed",
			"https://10.0.0.1/jwks.json,the address is not allowed", "https://[::1]/jwks.json,the address is not allowed",
			"http://192.0.9.9/jwks.json,not an https URI", "nonsense,no host", "https:///x,no host",
			"a b,not a URI" })
	void doesNotReachIntoTheNetworkOfTheServer(String uri, String reason) throws IOException {
		ClienteleClient client = client(uri);
		assertThatExceptionOfType(ClienteleUnavailableException.class).isThrownBy(() -> this.keys.get(client, "1"))
			.withMessageContaining(reason);
		assertThat(this.requests).hasValue(0);
	}

	@Test
	void readsInlineKeysWithoutSymmetricOnesAndUnknownOnes() throws Exception {
		String good = new ECKeyGenerator(Curve.P_256).keyID("1").generate().toString();
		String symmetric = new OctetSequenceKey.Builder(new byte[32]).keyID("2").build().toString();
		ObjectNode document = FakeRegistry.client("a");
		document.set("jwks", FakeRegistry.json(
				"{\"keys\":[" + good + "," + symmetric + ",{\"kty\":\"X\",\"kid\":\"3\"},{\"kty\":\"EC\"},7]}"));
		JWKSet set = this.keys.get(of(document), "9");
		assertThat(set.getKeys()).singleElement().satisfies((key) -> {
			assertThat(key.getKeyID()).isEqualTo("1");
			assertThat(key.isPrivate()).isFalse();
		});
		assertThat(this.keys.get(of(FakeRegistry.client("a")), "1").isEmpty()).isTrue();
	}

	@ParameterizedTest
	@CsvSource({ "8.8.8.8,true", "2a00:1450::1,true", "127.0.0.1,false", "10.1.2.3,false", "172.16.0.1,false",
			"192.168.1.1,false", "169.254.169.254,false", "100.64.0.1,false", "0.0.0.0,false", "224.0.0.1,false",
			"255.255.255.255,false", "198.18.0.1,false", "192.0.2.1,false", "::1,false", "fe80::1,false",
			"fc00::1,false", "fd12::1,false", "::ffff:127.0.0.1,false", "64:ff9b::7f00:1,false", "2002:7f00:1::,false",
			"2001::1,false", "2001:db8::1,false", "::,false", "ff02::1,false" })
	void knowsPublicAddresses(String address, boolean expected) throws IOException {
		assertThat(ClientKeys.isPublic(InetAddress.getByName(address))).isEqualTo(expected);
	}

}
