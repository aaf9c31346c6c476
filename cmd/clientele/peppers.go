package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// requiredPeppers checks that every pepper of live secrets is configured. A service
// without one would report these secrets as invalid. The ID of a pepper is derived from
// its content, so a changed file is a different pepper.
type requiredPeppers struct {
	keys         application.SecretKeys
	configured   []domain.Pepper
	allowMissing bool
	log          *slog.Logger

	mu     sync.Mutex
	passed atomic.Bool
}

// check returns an error that names the missing peppers. After it passed once, it does
// not read the store again: new secrets are hashed with a configured pepper.
func (p *requiredPeppers) check(ctx context.Context) error {
	if p.passed.Load() {
		return nil
	}
	p.mu.Lock() // the check may read every client, so it must not run concurrently
	defer p.mu.Unlock()
	if p.passed.Load() {
		return nil
	}
	var known []string
	for _, pepper := range p.configured {
		known = append(known, pepper.ID)
	}
	missing, err := p.keys.MissingSecretKeys(ctx, known, time.Now())
	if err != nil {
		return fmt.Errorf("check peppers: %w", err)
	}
	ids := strings.Join(missing, ", ")
	switch {
	case len(missing) == 0:
	case !p.allowMissing:
		return fmt.Errorf("client secrets were hashed with a pepper that is not configured (key id %s) and would be invalid; "+
			"add its file to --pepper-file, or use --allow-missing-pepper if it is lost", ids)
	default:
		p.log.WarnContext(ctx, "secrets hashed with a pepper that is not configured are invalid; rotate them", "key_ids", missing)
	}
	p.passed.Store(true)
	return nil
}

// checkAtStart is check for the start of the service. A service that does not migrate
// also starts if the database is unavailable; it is not ready until the check passes.
func (p *requiredPeppers) checkAtStart(ctx context.Context, migrated bool) error {
	err := p.check(ctx)
	if !migrated && errors.Is(err, application.ErrUnavailable) {
		p.log.WarnContext(ctx, "peppers cannot be checked yet", "error", err)
		return nil
	}
	return err
}
