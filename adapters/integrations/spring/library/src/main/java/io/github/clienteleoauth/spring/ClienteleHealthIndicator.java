package io.github.clienteleoauth.spring;

import org.springframework.boot.actuate.health.Health;
import org.springframework.boot.actuate.health.HealthIndicator;

/**
 * The health of the mirror. It is up as long as clients can be read: a registry that is away
 * is a detail, until the copy is too old.
 */
final class ClienteleHealthIndicator implements HealthIndicator {

	private final ClienteleMirror mirror;

	ClienteleHealthIndicator(ClienteleMirror mirror) {
		this.mirror = mirror;
	}

	@Override
	public Health health() {
		ClienteleMirror.Health state = this.mirror.health();
		Health.Builder health = state.usable() ? Health.up() : Health.down();
		health.withDetail("following", state.following()).withDetail("clients", state.clients());
		if (state.confirmedAt() != null) {
			health.withDetail("confirmedAt", state.confirmedAt().toString());
		}
		if (state.lastError() != null) {
			health.withDetail("lastError", state.lastError());
		}
		if (state.fileError() != null) {
			health.withDetail("fileError", state.fileError());
		}
		return health.build();
	}

}
