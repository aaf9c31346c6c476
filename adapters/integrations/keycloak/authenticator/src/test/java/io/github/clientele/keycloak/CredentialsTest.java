package io.github.clientele.keycloak;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import jakarta.ws.rs.core.MultivaluedHashMap;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CredentialsTest {

  private static List<String> basic(String pair) {
    return List.of("Basic " + Base64.getEncoder().encodeToString(pair.getBytes(StandardCharsets.UTF_8)));
  }

  private static MultivaluedHashMap<String, String> form(String... pairs) {
    MultivaluedHashMap<String, String> form = new MultivaluedHashMap<>();
    for (int i = 0; i < pairs.length; i += 2) {
      form.add(pairs[i], pairs[i + 1]);
    }
    return form;
  }

  @Test
  void headerIsDecodedAsFormValues() throws Exception {
    assertEquals(new Credentials("team/app 1", "a:b+c%", true), Credentials.parse(basic("team%2Fapp+1:a%3Ab%2Bc%25"), null));
    assertEquals(new Credentials("shop", "a:b", true), Credentials.parse(basic("shop:a:b"), form()));
    assertEquals(new Credentials("shop", "", true), Credentials.parse(List.of("bAsIc   c2hvcDo="), null));
  }

  @Test
  void formIsUsedWithoutHeader() throws Exception {
    assertEquals(new Credentials("shop", "s", false), Credentials.parse(List.of(), form("client_id", "shop", "client_secret", "s")));
    assertEquals(new Credentials("shop", null, false), Credentials.parse(null, form("client_id", "shop")));
    assertEquals(new Credentials("shop", "s", false), Credentials.parse(List.of("Negotiate x"), form("client_id", "shop", "client_secret", "s")));
    assertEquals(new Credentials(null, null, false), Credentials.parse(null, null));
  }

  @Test
  void sameClientMayBeInBoth() throws Exception {
    assertEquals(new Credentials("shop", "s", true), Credentials.parse(basic("shop:s"), form("client_id", "shop")));
  }

  @ParameterizedTest
  @ValueSource(strings = {"Basic %%%", "Basic c2hvcA==", "Basic /////w==", "Basic c2hvcDolJSU="})
  void headersThatCannotBeDecodedAreRejected(String header) {
    assertThrows(Credentials.Malformed.class, () -> Credentials.parse(List.of(header), null));
  }

  @Test
  void moreThanOneMethodIsRejected() {
    assertThrows(Credentials.Malformed.class, () -> Credentials.parse(basic("shop:s"), form("client_id", "shop", "client_secret", "s")));
    assertThrows(Credentials.Malformed.class, () -> Credentials.parse(basic("shop:s"), form("client_id", "other")));
    assertThrows(Credentials.Malformed.class, () -> Credentials.parse(null, form("client_id", "a", "client_id", "b")));
    assertThrows(Credentials.Malformed.class, () -> Credentials.parse(null, form("client_id", "a", "client_secret", "b", "client_secret", "c")));
    assertThrows(Credentials.Malformed.class, () -> Credentials.parse(List.of("Basic c2hvcDo=", "Basic c2hvcDo="), null));
  }

  @Test
  void secretIsNotInTheText() {
    assertFalse(new Credentials("shop", "hidden", true).toString().contains("hidden"));
  }
}
