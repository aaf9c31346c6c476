package io.github.clienteleoauth.spring;

import java.net.URI;
import java.time.Duration;
import java.util.HashSet;
import java.util.Set;

import org.springframework.boot.context.properties.ConfigurationProperties;

/** The properties {@code clientele.*}. */
@ConfigurationProperties("clientele")
public class ClienteleProperties {

	/** How access tokens are made, for all clients. */
	public enum AccessTokenFormat {

		/** A signed JWT. */
		SELF_CONTAINED,

		/** An opaque value, which resource servers introspect. */
		REFERENCE

	}

	/**
	 * Root URL of the registry. Without it, nothing is configured.
	 */
	private URI url;

	/**
	 * File with an access token for the registry, with the scopes clients:read and
	 * clients:verify. It is read again when it changes.
	 */
	private String tokenFile;

	/**
	 * Access token for the registry, if there is no token file.
	 */
	private String token;

	/**
	 * Tenant whose clients are served, if the token may act in several.
	 */
	private String tenant;

	/**
	 * File in which the clients are kept, so that the server starts while the registry is
	 * away. Each process needs its own.
	 */
	private String file;

	/**
	 * Whether to keep the hashes of secrets, so that clients with secrets keep working while
	 * the registry is away. The token then needs the scope clients:verifiers as well.
	 */
	private boolean localVerification;

	/**
	 * How long the server works without a response of the registry. Negative for no limit.
	 */
	private Duration maxStaleness = Duration.ofHours(24);

	/**
	 * How long the start of the server waits for the clients.
	 */
	private Duration startupTimeout = Duration.ofSeconds(10);

	/**
	 * How long the verification of a secret may take.
	 */
	private Duration requestTimeout = Duration.ofSeconds(5);

	/**
	 * How often all clients are read again, for changes of the registry's configuration.
	 */
	private Duration resyncInterval = Duration.ofHours(6);

	/**
	 * Name of the SSL bundle for connections to the registry.
	 */
	private String sslBundle;

	/**
	 * Format of the access tokens of all clients.
	 */
	private AccessTokenFormat accessTokenFormat = AccessTokenFormat.SELF_CONTAINED;

	/**
	 * Hosts from which keys of clients may be fetched even if their address is private or the
	 * jwks_uri is not https.
	 */
	private Set<String> jwksAllowedHosts = new HashSet<>();

	/**
	 * Returns {@code clientele.url}.
	 * @return the value
	 */
	public URI getUrl() {
		return this.url;
	}

	/**
	 * Sets {@code clientele.url}.
	 * @param url the value
	 */
	public void setUrl(URI url) {
		this.url = url;
	}

	/**
	 * Returns {@code clientele.token-file}.
	 * @return the value
	 */
	public String getTokenFile() {
		return this.tokenFile;
	}

	/**
	 * Sets {@code clientele.token-file}.
	 * @param tokenFile the value
	 */
	public void setTokenFile(String tokenFile) {
		this.tokenFile = tokenFile;
	}

	/**
	 * Returns {@code clientele.token}.
	 * @return the value
	 */
	public String getToken() {
		return this.token;
	}

	/**
	 * Sets {@code clientele.token}.
	 * @param token the value
	 */
	public void setToken(String token) {
		this.token = token;
	}

	/**
	 * Returns {@code clientele.tenant}.
	 * @return the value
	 */
	public String getTenant() {
		return this.tenant;
	}

	/**
	 * Sets {@code clientele.tenant}.
	 * @param tenant the value
	 */
	public void setTenant(String tenant) {
		this.tenant = tenant;
	}

	/**
	 * Returns {@code clientele.file}.
	 * @return the value
	 */
	public String getFile() {
		return this.file;
	}

	/**
	 * Sets {@code clientele.file}.
	 * @param file the value
	 */
	public void setFile(String file) {
		this.file = file;
	}

	/**
	 * Returns {@code clientele.local-verification}.
	 * @return the value
	 */
	public boolean isLocalVerification() {
		return this.localVerification;
	}

	/**
	 * Sets {@code clientele.local-verification}.
	 * @param localVerification the value
	 */
	public void setLocalVerification(boolean localVerification) {
		this.localVerification = localVerification;
	}

	/**
	 * Returns {@code clientele.max-staleness}.
	 * @return the value
	 */
	public Duration getMaxStaleness() {
		return this.maxStaleness;
	}

	/**
	 * Sets {@code clientele.max-staleness}.
	 * @param maxStaleness the value
	 */
	public void setMaxStaleness(Duration maxStaleness) {
		this.maxStaleness = maxStaleness;
	}

	/**
	 * Returns {@code clientele.startup-timeout}.
	 * @return the value
	 */
	public Duration getStartupTimeout() {
		return this.startupTimeout;
	}

	/**
	 * Sets {@code clientele.startup-timeout}.
	 * @param startupTimeout the value
	 */
	public void setStartupTimeout(Duration startupTimeout) {
		this.startupTimeout = startupTimeout;
	}

	/**
	 * Returns {@code clientele.request-timeout}.
	 * @return the value
	 */
	public Duration getRequestTimeout() {
		return this.requestTimeout;
	}

	/**
	 * Sets {@code clientele.request-timeout}.
	 * @param requestTimeout the value
	 */
	public void setRequestTimeout(Duration requestTimeout) {
		this.requestTimeout = requestTimeout;
	}

	/**
	 * Returns {@code clientele.resync-interval}.
	 * @return the value
	 */
	public Duration getResyncInterval() {
		return this.resyncInterval;
	}

	/**
	 * Sets {@code clientele.resync-interval}.
	 * @param resyncInterval the value
	 */
	public void setResyncInterval(Duration resyncInterval) {
		this.resyncInterval = resyncInterval;
	}

	/**
	 * Returns {@code clientele.ssl-bundle}.
	 * @return the value
	 */
	public String getSslBundle() {
		return this.sslBundle;
	}

	/**
	 * Sets {@code clientele.ssl-bundle}.
	 * @param sslBundle the value
	 */
	public void setSslBundle(String sslBundle) {
		this.sslBundle = sslBundle;
	}

	/**
	 * Returns {@code clientele.access-token-format}.
	 * @return the value
	 */
	public AccessTokenFormat getAccessTokenFormat() {
		return this.accessTokenFormat;
	}

	/**
	 * Sets {@code clientele.access-token-format}.
	 * @param accessTokenFormat the value
	 */
	public void setAccessTokenFormat(AccessTokenFormat accessTokenFormat) {
		this.accessTokenFormat = accessTokenFormat;
	}

	/**
	 * Returns {@code clientele.jwks-allowed-hosts}.
	 * @return the value
	 */
	public Set<String> getJwksAllowedHosts() {
		return this.jwksAllowedHosts;
	}

	/**
	 * Sets {@code clientele.jwks-allowed-hosts}.
	 * @param jwksAllowedHosts the value
	 */
	public void setJwksAllowedHosts(Set<String> jwksAllowedHosts) {
		this.jwksAllowedHosts = jwksAllowedHosts;
	}

}
