package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/clientele-oauth/clientele/adapters/telemetry"
	"github.com/clientele-oauth/clientele/application"
)

// countRegisteredEvery is how often the clients that registered themselves are counted.
const countRegisteredEvery = 30 * time.Second

// countRegistered counts the clients that registered themselves, and the documents that wait
// for approval, at once and then periodically. The function that it returns stops this.
func countRegistered(
	ctx context.Context, store application.RegistrationStore, metrics *telemetry.Registered, log *slog.Logger,
) (end func()) {
	count := func(ctx context.Context) {
		count, err := store.CountRegistered(ctx)
		if err != nil {
			log.WarnContext(ctx, "the clients that registered themselves were not counted", "error", err)
			return
		}
		metrics.Counted(count)
	}
	first, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	count(first)
	return repeat(ctx, countRegisteredEvery, count)
}
