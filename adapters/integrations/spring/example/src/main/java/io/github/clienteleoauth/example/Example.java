package io.github.clienteleoauth.example;

import java.util.Map;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** An authorization server whose clients are in a Clientele registry. See application.properties. */
@SpringBootApplication
public class Example {

	/** Starts the server at the address in the environment variable LISTEN. */
	public static void main(String[] arguments) {
		String listen = System.getenv().getOrDefault("LISTEN", "127.0.0.1:9000");
		int colon = listen.lastIndexOf(':');
		SpringApplication application = new SpringApplication(Example.class);
		application.setDefaultProperties(Map.of("server.address", listen.substring(0, colon),
				"server.port", listen.substring(colon + 1),
				"spring.security.oauth2.authorizationserver.issuer", "http://" + listen));
		application.run(arguments);
	}

}
