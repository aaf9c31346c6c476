package io.github.clientele.keycloak;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConfigurationTest {

  private static final Map<String, String> LEAST = Map.of("registry-url", "https://clientele.example.com/", "token-file", "/run/token");

  private static Configuration read(Map<String, String> options, Map<String, String> environment) {
    return Configuration.read(options::get, environment::get);
  }

  @Test
  void restHasDefaults() {
    Configuration configuration = read(LEAST, Map.of());
    assertEquals("https://clientele.example.com", configuration.registryUrl());
    assertEquals(Path.of("/run/token"), configuration.tokenFile());
    assertNull(configuration.tenant());
    assertNull(configuration.caFile());
    assertEquals(Duration.ofSeconds(5), configuration.timeout());
    assertEquals(10_000, configuration.cacheSize());
  }

  @Test
  void optionsComeBeforeTheEnvironment() {
    Map<String, String> environment =
        Map.of("CLIENTELE_URL", "http://other", "CLIENTELE_TOKEN_FILE", "/t", "CLIENTELE_TENANT", "a", "CLIENTELE_CA_FILE", "/ca.pem");
    assertEquals("http://other", read(Map.of(), environment).registryUrl());
    Configuration configuration = read(LEAST, environment);
    assertEquals("https://clientele.example.com", configuration.registryUrl());
    assertEquals("a", configuration.tenant());
    assertEquals(Path.of("/ca.pem"), configuration.caFile());
  }

  @ParameterizedTest
  @CsvSource({
    "registry-url,''",
    "registry-url,clientele.example.com",
    "registry-url,ftp://clientele.example.com",
    "registry-url,https://a:b@clientele.example.com",
    "registry-url,https://clientele.example.com?x",
    "registry-url,https://",
    "token-file,' '",
    "timeout-millis,0",
    "timeout-millis,60001",
    "timeout-millis,5s",
    "cache-size,-1",
    "cache-size,1000001"
  })
  void valuesWithoutUseAreRejected(String option, String value) {
    Map<String, String> options = new HashMap<>(LEAST);
    options.put(option, value);
    IllegalArgumentException e = assertThrows(IllegalArgumentException.class, () -> read(options, Map.of()));
    assertEquals(option, e.getMessage().split(" ")[0]);
  }
}
