package io.github.clientele.keycloak;

import java.io.IOException;
import java.security.GeneralSecurityException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jboss.logging.Logger;
import org.keycloak.Config;
import org.keycloak.authentication.ClientAuthenticator;
import org.keycloak.authentication.ClientAuthenticatorFactory;
import org.keycloak.models.AuthenticationExecutionModel.Requirement;
import org.keycloak.models.ClientModel;
import org.keycloak.models.KeycloakSession;
import org.keycloak.models.KeycloakSessionFactory;
import org.keycloak.provider.ProviderConfigProperty;
import org.keycloak.provider.ProviderConfigurationBuilder;

/** Makes the authenticator known to the server under the id {@value #ID}. */
public final class SecretAuthenticatorFactory implements ClientAuthenticatorFactory {

  /** The value of clientAuthenticatorType in clients, and of the execution in a flow. */
  public static final String ID = "clientele-secret";

  private static final Logger LOG = Logger.getLogger(SecretAuthenticatorFactory.class);

  private SecretAuthenticator authenticator = new SecretAuthenticator(null, null, System::nanoTime);

  /** Used by the server, through {@link java.util.ServiceLoader}. */
  public SecretAuthenticatorFactory() {}

  @Override
  public String getId() {
    return ID;
  }

  /**
   * A configuration that cannot be used does not keep the server from starting, because other
   * clients do not need it. It is logged, and the clients of this authenticator are told that the
   * server is unavailable.
   */
  @Override
  public void init(Config.Scope scope) {
    try {
      Configuration configuration = Configuration.read(scope::get, System::getenv);
      authenticator =
          new SecretAuthenticator(
              new Registry(configuration), new VerifiedSecrets(configuration.cacheSize(), System::nanoTime), System::nanoTime);
    } catch (IllegalArgumentException | IOException | GeneralSecurityException e) {
      LOG.errorf("No secret can be verified: %s", e.getMessage());
    }
  }

  @Override
  public void postInit(KeycloakSessionFactory factory) {}

  @Override
  public void close() {}

  @Override
  public ClientAuthenticator create() {
    return authenticator;
  }

  @Override
  public ClientAuthenticator create(KeycloakSession session) {
    return authenticator;
  }

  @Override
  public String getDisplayType() {
    return "Client Id and Secret, verified by Clientele";
  }

  @Override
  public String getHelpText() {
    return "Asks the client registry whether the secret of the client is valid";
  }

  @Override
  public String getReferenceCategory() {
    return "secret";
  }

  @Override
  public boolean isUserSetupAllowed() {
    return false;
  }

  @Override
  public Requirement[] getRequirementChoices() {
    return new Requirement[] {Requirement.ALTERNATIVE, Requirement.DISABLED};
  }

  @Override
  public boolean isConfigurable() {
    return false;
  }

  @Override
  public List<ProviderConfigProperty> getConfigProperties() {
    return List.of();
  }

  @Override
  public List<ProviderConfigProperty> getConfigPropertiesPerClient() {
    return List.of();
  }

  @Override
  public Map<String, Object> getAdapterConfiguration(KeycloakSession session, ClientModel client) {
    return Map.of();
  }

  /** Empty, so that dynamic client registration does not choose this authenticator. */
  @Override
  public Set<String> getProtocolAuthenticatorMethods(String protocol) {
    return Set.of();
  }

  /** False: the server is not to generate a secret of its own. */
  @Override
  public boolean supportsSecret() {
    return false;
  }

  /** The options of the provider, shown in the administration console. */
  @Override
  public List<ProviderConfigProperty> getConfigMetadata() {
    return ProviderConfigurationBuilder.create()
        .property()
        .name("registry-url")
        .type(ProviderConfigProperty.STRING_TYPE)
        .helpText("Root URL of the registry, e.g. https://clientele.example.com. Environment: CLIENTELE_URL.")
        .add()
        .property()
        .name("token-file")
        .type(ProviderConfigProperty.STRING_TYPE)
        .helpText("File with an access token that has the scope clients:verify; read for each verification. Environment: CLIENTELE_TOKEN_FILE.")
        .add()
        .property()
        .name("tenant")
        .type(ProviderConfigProperty.STRING_TYPE)
        .helpText("Tenant to act in, for a token with the platform role. Environment: CLIENTELE_TENANT.")
        .add()
        .property()
        .name("ca-file")
        .type(ProviderConfigProperty.STRING_TYPE)
        .helpText("Certificate authorities for the registry in PEM; replaces those of the JVM. Environment: CLIENTELE_CA_FILE.")
        .add()
        .property()
        .name("timeout-millis")
        .type(ProviderConfigProperty.INTEGER_TYPE)
        .defaultValue(5000)
        .helpText("Maximum time of a verification.")
        .add()
        .property()
        .name("cache-size")
        .type(ProviderConfigProperty.INTEGER_TYPE)
        .defaultValue(10000)
        .helpText("How many positive results are kept, each as long as the registry allows; 0 keeps none.")
        .add()
        .build();
  }
}
