package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/clientele-oauth/clientele/adapters/telemetry"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// How often the service looks for secrets that have ended, and the timeout of a look. The
// interval is shortened at random by up to a half, so that replicas do not look at the same
// moment and lose races against each other.
const (
	secretEndsEvery   = 500 * time.Millisecond
	secretEndsTimeout = time.Minute
)

// serviceActor is the author of the revisions that the service itself makes.
func serviceActor() domain.Actor { return domain.Actor{Subject: "clientele serve"} }

// recordSecretEnds records the ends of secrets in the background. The function that it
// returns stops this.
func recordSecretEnds(ctx context.Context, store application.Store, metrics *telemetry.SecretEnds, log *slog.Logger) (end func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		failing := false
		timer := time.NewTimer(0)
		defer timer.Stop()
		for {
			select {
			case <-timer.C:
			case <-ctx.Done():
				return
			}
			var more bool
			failing, more = recordSecretEndsOnce(ctx, store, metrics, log, failing)
			pause := secretEndsEvery - rand.N(secretEndsEvery/2) //nolint:gosec // only separates replicas
			if more {
				pause = 0
			}
			timer.Reset(pause)
		}
	}()
	return func() {
		cancel()
		<-finished
	}
}

// recordSecretEndsOnce makes one run and logs it. Of failures that follow each other it
// logs the first. It reports whether the run failed, and whether there is more to do at once.
func recordSecretEndsOnce(
	ctx context.Context, store application.Store, metrics *telemetry.SecretEnds, log *slog.Logger, failing bool,
) (failed, more bool) {
	limited, cancel := context.WithTimeout(ctx, secretEndsTimeout)
	defer cancel()
	run, err := application.RecordSecretEnds(limited, store, systemClock{}, serviceActor())
	if ctx.Err() != nil { // the service ends
		return failing, false
	}
	metrics.Done(run, err)
	switch {
	case err != nil && !failing:
		log.WarnContext(ctx, "ended secrets cannot be recorded in the log at the moment", "error", err)
	case err == nil && failing:
		log.InfoContext(ctx, "ended secrets are recorded again")
	}
	if run.Ended > 0 || run.Failed > 0 {
		log.InfoContext(ctx, "secret ends recorded", "secrets", run.Ended, "failed", run.Failed)
	}
	return err != nil, run.More
}
