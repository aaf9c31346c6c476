package io.github.clienteleoauth.spring;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;

import org.springframework.web.filter.OncePerRequestFilter;

/**
 * Responds 503 where the server cannot know whether a client or its secret is valid. Without
 * it the exception would reach the error page, which asks a client without a session to log in.
 */
final class UnavailableFilter extends OncePerRequestFilter {

	private static final Log log = LogFactory.getLog(UnavailableFilter.class);

	private static final Duration RETRY_AFTER = Duration.ofSeconds(1);

	@Override
	protected void doFilterInternal(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
			throws ServletException, IOException {
		try {
			chain.doFilter(request, response);
		}
		catch (RuntimeException | ServletException ex) {
			ClienteleUnavailableException unavailable = find(ex);
			if (unavailable == null || response.isCommitted()) {
				throw ex;
			}
			log.warn("Responding 503 to " + request.getMethod() + " " + request.getRequestURI() + ": "
					+ unavailable.getMessage());
			respond(response, unavailable);
		}
	}

	private static ClienteleUnavailableException find(Throwable error) {
		// A chain of causes is short; the limit is for one that leads back to itself.
		for (int depth = 0; error != null && depth < 20; depth++, error = error.getCause()) {
			if (error instanceof ClienteleUnavailableException unavailable) {
				return unavailable;
			}
		}
		return null;
	}

	private static void respond(HttpServletResponse response, ClienteleUnavailableException unavailable)
			throws IOException {
		Duration retryAfter = (unavailable.retryAfter() != null) ? unavailable.retryAfter() : RETRY_AFTER;
		byte[] body = "{\"error\":\"temporarily_unavailable\"}".getBytes(StandardCharsets.UTF_8);
		response.resetBuffer();
		response.setStatus(HttpServletResponse.SC_SERVICE_UNAVAILABLE);
		response.setHeader("Retry-After", Long.toString(Math.max(1, retryAfter.toSeconds())));
		response.setHeader("Cache-Control", "no-store");
		response.setContentType("application/json");
		response.setContentLength(body.length);
		response.getOutputStream().write(body);
	}

}
