package io.github.clientele.keycloak;

import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.UnaryOperator;

/**
 * How to reach the registry.
 *
 * @param registryUrl the root URL of the registry, without a slash at the end
 * @param tokenFile a file with an access token that has the scope clients:verify
 * @param tenant the tenant to act in, for a token with the platform role; otherwise null
 * @param caFile certificate authorities for the registry in PEM, or null for those of the JVM
 * @param timeout the maximum time of a verification
 * @param cacheSize how many positive results are kept
 */
record Configuration(String registryUrl, Path tokenFile, String tenant, Path caFile, Duration timeout, int cacheSize) {

  private static final int DEFAULT_TIMEOUT_MILLIS = 5_000;
  private static final int MAX_TIMEOUT_MILLIS = 60_000;
  private static final int DEFAULT_CACHE_SIZE = 10_000;
  private static final int MAX_CACHE_SIZE = 1_000_000;

  /**
   * Reads the configuration from the options of the provider or, for those that have one, from an
   * environment variable with the name that Clientele uses.
   *
   * @param option returns the value of an option, or null
   * @param environment returns the value of an environment variable, or null
   * @throws IllegalArgumentException if an option is missing or has no use
   */
  static Configuration read(UnaryOperator<String> option, UnaryOperator<String> environment) {
    return new Configuration(
        url(required("registry-url", first(option.apply("registry-url"), environment.apply("CLIENTELE_URL")))),
        Path.of(required("token-file", first(option.apply("token-file"), environment.apply("CLIENTELE_TOKEN_FILE")))),
        first(option.apply("tenant"), environment.apply("CLIENTELE_TENANT")),
        path(first(option.apply("ca-file"), environment.apply("CLIENTELE_CA_FILE"))),
        Duration.ofMillis(number("timeout-millis", option.apply("timeout-millis"), DEFAULT_TIMEOUT_MILLIS, 1, MAX_TIMEOUT_MILLIS)),
        number("cache-size", option.apply("cache-size"), DEFAULT_CACHE_SIZE, 0, MAX_CACHE_SIZE));
  }

  private static String first(String option, String environment) {
    String value = option == null || option.isBlank() ? environment : option;
    return value == null || value.isBlank() ? null : value.strip();
  }

  private static String required(String name, String value) {
    if (value == null) {
      throw new IllegalArgumentException(name + " is not set");
    }
    return value;
  }

  private static Path path(String value) {
    return value == null ? null : Path.of(value);
  }

  private static String url(String value) {
    try {
      URI uri = new URI(value);
      boolean web = "https".equalsIgnoreCase(uri.getScheme()) || "http".equalsIgnoreCase(uri.getScheme());
      if (!web || uri.getHost() == null || uri.getRawUserInfo() != null || uri.getRawQuery() != null || uri.getRawFragment() != null) {
        throw new IllegalArgumentException("registry-url must be an http or https URL without user, query and fragment");
      }
      return value.replaceAll("/+$", "");
    } catch (URISyntaxException e) {
      throw new IllegalArgumentException("registry-url is not a URL", e);
    }
  }

  private static int number(String name, String value, int unset, int min, int max) {
    if (value == null || value.isBlank()) {
      return unset;
    }
    try {
      int number = Integer.parseInt(value.strip());
      if (number >= min && number <= max) {
        return number;
      }
    } catch (NumberFormatException e) {
      // reported below
    }
    throw new IllegalArgumentException(name + " must be a number from " + min + " to " + max);
  }
}
