package io.github.clienteleoauth.spring;

import java.io.IOException;
import java.net.CookieManager;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

import com.fasterxml.jackson.databind.JsonNode;

/** Requests to an authorization server, by a user with a browser and by clients. */
final class Browser {

	private static final Pattern INPUT = Pattern.compile("<input[^>]*>");

	private static final Pattern ATTRIBUTE = Pattern.compile("(name|value|type)=\"([^\"]*)\"");

	private static final Pattern ACTION = Pattern.compile("<form[^>]*action=\"([^\"]*)\"");

	private final HttpClient http = HttpClient.newBuilder()
		.cookieHandler(new CookieManager())
		.followRedirects(HttpClient.Redirect.NEVER)
		.build();

	private final String issuer;

	Browser(String issuer) {
		this.issuer = issuer;
	}

	record Response(int status, JsonNode json, HttpResponse<String> http) {

		String error() {
			return this.json.path("error").asText();
		}

	}

	static String form(Map<String, String> fields) {
		return fields.entrySet()
			.stream()
			.map((field) -> field.getKey() + "=" + URLEncoder.encode(field.getValue(), StandardCharsets.UTF_8))
			.collect(Collectors.joining("&"));
	}

	private Response send(HttpRequest.Builder request) {
		try {
			HttpResponse<String> response = this.http.send(request.build(), HttpResponse.BodyHandlers.ofString());
			String body = response.body();
			return new Response(response.statusCode(),
					body.startsWith("{") ? FakeRegistry.json(body) : FakeRegistry.JSON.missingNode(), response);
		}
		catch (IOException | InterruptedException ex) {
			throw new IllegalStateException(ex);
		}
	}

	private HttpRequest.Builder to(String path) {
		return HttpRequest.newBuilder(URI.create(this.issuer).resolve(path));
	}

	/** A request of a client; it authenticates with client_secret_basic if there is a secret. */
	Response post(String path, String clientId, String secret, Map<String, String> fields) {
		HttpRequest.Builder request = to(path).header("Content-Type", "application/x-www-form-urlencoded");
		Map<String, String> all = new LinkedHashMap<>(fields);
		if (secret != null) {
			String credentials = URLEncoder.encode(clientId, StandardCharsets.UTF_8) + ":"
					+ URLEncoder.encode(secret, StandardCharsets.UTF_8);
			request.header("Authorization",
					"Basic " + Base64.getEncoder().encodeToString(credentials.getBytes(StandardCharsets.UTF_8)));
		}
		else if (clientId != null) {
			all.put("client_id", clientId);
		}
		return send(request.POST(HttpRequest.BodyPublishers.ofString(form(all))));
	}

	Response token(String clientId, String secret, Map<String, String> fields) {
		return post("/oauth2/token", clientId, secret, fields);
	}

	Response get(String path) {
		return send(to(path).header("Accept", "text/html"));
	}

	Response userInfo(String accessToken) {
		return send(to("/userinfo").header("Authorization", "Bearer " + accessToken));
	}

	/** Opens an address, logs in as alice and agrees, until the client would be called or nothing is left to do. */
	Response authorize(Map<String, String> parameters) {
		Response response = get("/oauth2/authorize?" + form(parameters));
		String redirectUri = parameters.get("redirect_uri");
		for (int page = 0; page < 10; page++) {
			String location = response.http.headers().firstValue("Location").orElse("");
			if (response.status == 302 && !location.startsWith(redirectUri)) {
				response = get(location);
				continue;
			}
			Matcher action = ACTION.matcher(response.http.body());
			if (response.status != 200 || !action.find()) {
				return response;
			}
			Map<String, String> fields = new LinkedHashMap<>();
			Matcher input = INPUT.matcher(response.http.body());
			while (input.find()) {
				Map<String, String> attributes = new LinkedHashMap<>();
				Matcher attribute = ATTRIBUTE.matcher(input.group());
				while (attribute.find()) {
					attributes.put(attribute.group(1), attribute.group(2));
				}
				fields.put(attributes.getOrDefault("name", "unnamed"), attributes.getOrDefault("value", ""));
			}
			fields.replace("username", "alice");
			fields.replace("password", "password");
			response = post(action.group(1), null, null, fields);
		}
		return response;
	}

}
