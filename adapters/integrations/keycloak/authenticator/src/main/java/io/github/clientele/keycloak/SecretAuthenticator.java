package io.github.clientele.keycloak;

import jakarta.ws.rs.core.HttpHeaders;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.MultivaluedMap;
import jakarta.ws.rs.core.Response;
import java.util.Map;
import java.util.function.LongSupplier;
import org.jboss.logging.Logger;
import org.keycloak.authentication.AuthenticationFlowError;
import org.keycloak.authentication.ClientAuthenticationFlowContext;
import org.keycloak.authentication.ClientAuthenticator;
import org.keycloak.models.ClientModel;

/** Authenticates clients by secrets that the registry verifies. */
final class SecretAuthenticator implements ClientAuthenticator {

  /** The attribute that {@code clientele sync} sets to the revision of the client. */
  static final String REVISION = "clientele.revision";

  private static final Logger LOG = Logger.getLogger(SecretAuthenticator.class);

  private final Registry registry; // null if the configuration cannot be used
  private final VerifiedSecrets verified;
  private final LongSupplier nanoTime;

  SecretAuthenticator(Registry registry, VerifiedSecrets verified, LongSupplier nanoTime) {
    this.registry = registry;
    this.verified = verified;
    this.nanoTime = nanoTime;
  }

  /**
   * The server runs the authenticators of the flow one after the other, and takes the result of the
   * one that is that of the client. So this one has to find the client first, and asks the registry
   * only for clients that are its own.
   */
  @Override
  public void authenticateClient(ClientAuthenticationFlowContext context) {
    Credentials credentials;
    try {
      credentials = credentials(context);
    } catch (Credentials.Malformed e) {
      identify(context, null);
      context.failure(AuthenticationFlowError.INVALID_CLIENT_CREDENTIALS, error(400, "invalid_request", e.getMessage()).build());
      return;
    }
    ClientModel client = identify(context, credentials.clientId());
    if (client == null) {
      context.failure(AuthenticationFlowError.CLIENT_NOT_FOUND, null);
    } else if (!client.isEnabled()) {
      context.failure(AuthenticationFlowError.CLIENT_DISABLED, null);
    } else if (SecretAuthenticatorFactory.ID.equals(client.getClientAuthenticatorType()) && !client.isPublicClient()) {
      verify(context, client, credentials);
    }
  }

  private void verify(ClientAuthenticationFlowContext context, ClientModel client, Credentials credentials) {
    if (credentials.secret() == null) {
      reject(context, credentials);
      return;
    }
    try {
      if (isValid(client, credentials.secret())) {
        context.success();
      } else {
        reject(context, credentials);
      }
    } catch (Registry.Unavailable e) {
      LOG.warnf("The secret of client %s cannot be verified: %s", client.getClientId(), e.getMessage());
      context.failure(
          AuthenticationFlowError.INTERNAL_ERROR,
          error(503, "temporarily_unavailable", "the secret cannot be verified at the moment")
              .header(HttpHeaders.RETRY_AFTER, e.retryAfterSeconds())
              .build());
    }
  }

  private boolean isValid(ClientModel client, String secret) throws Registry.Unavailable {
    if (registry == null) {
      throw new Registry.Unavailable("the authenticator is not configured", 60);
    }
    String revision = client.getAttribute(REVISION);
    String version = revision == null ? "" : revision;
    if (verified.contains(client.getClientId(), version, secret)) {
      return true;
    }
    long asked = nanoTime.getAsLong();
    Registry.Verification verification = registry.verify(client.getClientId(), secret);
    if (verification.valid()) {
      verified.add(client.getClientId(), version, secret, asked, verification.maxAge());
    }
    return verification.valid();
  }

  private static Credentials credentials(ClientAuthenticationFlowContext context) throws Credentials.Malformed {
    HttpHeaders headers = context.getHttpRequest().getHttpHeaders();
    MediaType type = headers.getMediaType();
    boolean isForm = type != null && type.isCompatible(MediaType.APPLICATION_FORM_URLENCODED_TYPE);
    MultivaluedMap<String, String> form = isForm ? context.getHttpRequest().getDecodedFormParameters() : null;
    return Credentials.parse(headers.getRequestHeader(HttpHeaders.AUTHORIZATION), form);
  }

  /** Returns the client, which another authenticator of the flow may have found. */
  private static ClientModel identify(ClientAuthenticationFlowContext context, String clientId) {
    if (clientId == null) {
      return context.getClient();
    }
    context.getEvent().client(clientId);
    ClientModel client = context.getSession().clients().getClientByClientId(context.getRealm(), clientId);
    if (client != null) {
      context.setClient(client);
    }
    return client;
  }

  private static void reject(ClientAuthenticationFlowContext context, Credentials credentials) {
    Response.ResponseBuilder response = error(401, "invalid_client", "Invalid client or Invalid client credentials");
    if (credentials.fromHeader()) {
      response.header(HttpHeaders.WWW_AUTHENTICATE, "Basic realm=\"" + context.getRealm().getName().replaceAll("[\"\\\\]", "") + "\"");
    }
    context.failure(AuthenticationFlowError.INVALID_CLIENT_CREDENTIALS, response.build());
  }

  private static Response.ResponseBuilder error(int status, String error, String description) {
    return Response.status(status)
        .type(MediaType.APPLICATION_JSON_TYPE)
        .entity(Map.of("error", error, "error_description", description));
  }

  @Override
  public void close() {}
}
