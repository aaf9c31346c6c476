package io.github.clienteleoauth.spring;

import java.time.Duration;

/**
 * The server cannot know whether a client or a secret is valid, because the registry or the
 * address of the client's keys cannot be reached. It never means that a secret is wrong. In
 * a request to the server it becomes a response with status 503 and the error
 * {@code temporarily_unavailable}.
 */
public class ClienteleUnavailableException extends RuntimeException {

	private static final long serialVersionUID = 1L;

	private final Duration retryAfter;

	/**
	 * Makes an exception.
	 * @param message what is unavailable, for the log
	 * @param cause the reason, or null
	 */
	public ClienteleUnavailableException(String message, Throwable cause) {
		this(message, cause, null);
	}

	ClienteleUnavailableException(String message, Throwable cause, Duration retryAfter) {
		super(message, cause);
		this.retryAfter = retryAfter;
	}

	/**
	 * Returns when to try again, if the registry said so.
	 * @return the duration, or null
	 */
	public Duration retryAfter() {
		return this.retryAfter;
	}

}
