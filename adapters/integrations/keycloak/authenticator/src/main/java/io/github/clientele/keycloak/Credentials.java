package io.github.clientele.keycloak;

import jakarta.ws.rs.core.MultivaluedMap;
import java.net.URLDecoder;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;

/**
 * What a request says about the client: its id and, if the request has one, its secret (RFC 6749
 * §2.3.1).
 *
 * @param clientId the client, or null if the request names none
 * @param secret the secret, or null if the request has none
 * @param fromHeader whether the request used the Authorization header
 */
record Credentials(String clientId, String secret, boolean fromHeader) {

  /** Credentials that cannot be used; the message is for the client. */
  static final class Malformed extends Exception {
    private static final long serialVersionUID = 1L;

    Malformed(String message) {
      super(message);
    }
  }

  private static final String CLIENT_ID = "client_id";
  private static final String CLIENT_SECRET = "client_secret";

  /**
   * Reads the credentials of a request.
   *
   * @param authorization the values of the Authorization header
   * @param form the form, or null if the request has none
   * @throws Malformed if the header cannot be decoded, if a parameter is repeated, or if the request
   *     uses more than one method (RFC 6749 §2.3: "MUST NOT use more than one")
   */
  static Credentials parse(List<String> authorization, MultivaluedMap<String, String> form) throws Malformed {
    String formId = parameter(form, CLIENT_ID);
    String formSecret = parameter(form, CLIENT_SECRET);
    if (authorization != null && authorization.size() > 1) {
      throw new Malformed("the Authorization header is repeated");
    }
    String header = authorization == null || authorization.isEmpty() ? null : authorization.get(0);
    if (header == null || !header.regionMatches(true, 0, "Basic ", 0, 6)) {
      return new Credentials(formId, formSecret, false);
    }
    Credentials basic = basic(header.substring(6).strip());
    if (formSecret != null) {
      throw new Malformed("the request has a secret in the Authorization header and in the form");
    }
    if (formId != null && !formId.equals(basic.clientId)) {
      throw new Malformed("client_id is not the client of the Authorization header");
    }
    return basic;
  }

  /** Id and secret are encoded as form values before they are encoded as base64. */
  private static Credentials basic(String encoded) throws Malformed {
    try {
      String pair = utf8(Base64.getDecoder().decode(encoded));
      int colon = pair.indexOf(':');
      if (colon < 0) {
        throw new Malformed("the Authorization header has no colon");
      }
      return new Credentials(formValue(pair.substring(0, colon)), formValue(pair.substring(colon + 1)), true);
    } catch (IllegalArgumentException | CharacterCodingException e) {
      throw new Malformed("the Authorization header cannot be decoded");
    }
  }

  private static String formValue(String encoded) {
    return URLDecoder.decode(encoded, StandardCharsets.UTF_8);
  }

  private static String utf8(byte[] bytes) throws CharacterCodingException {
    return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
  }

  private static String parameter(MultivaluedMap<String, String> form, String name) throws Malformed {
    List<String> values = form == null ? null : form.get(name);
    if (values == null || values.isEmpty()) {
      return null;
    }
    if (values.size() > 1) {
      throw new Malformed(name + " is repeated");
    }
    return values.get(0);
  }

  /** Leaves the secret out, so that credentials can be logged by mistake without harm. */
  @Override
  public String toString() {
    return "Credentials[clientId=" + clientId + "]";
  }
}
