package io.github.clienteleoauth.spring;

/**
 * The copy of the clients is missing or older than {@code clientele.max-staleness}, so it
 * must not be used.
 */
public final class ClienteleStaleException extends ClienteleUnavailableException {

	private static final long serialVersionUID = 1L;

	ClienteleStaleException(String message) {
		super(message, null);
	}

}
