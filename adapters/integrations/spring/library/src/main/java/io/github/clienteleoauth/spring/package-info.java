/**
 * Clients of a Spring Authorization Server from a Clientele registry.
 * <p>
 * {@link io.github.clienteleoauth.spring.ClienteleAutoConfiguration} sets up everything when
 * the property {@code clientele.url} is set. {@link io.github.clienteleoauth.spring.ClienteleMirror}
 * keeps a copy of the registry's clients in memory; the other classes give it to Spring.
 */
package io.github.clienteleoauth.spring;
