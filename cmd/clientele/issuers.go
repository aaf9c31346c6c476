package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/clientele-oauth/clientele/adapters/jose"
)

// trustedIssuers are the issuers whose access tokens the service accepts.
type trustedIssuers []jose.Issuer

// ready returns nil if the keys of at least one issuer can be used: one issuer
// that is down must not take the service away from the callers of the others.
func (t trustedIssuers) ready(ctx context.Context) error {
	failures := make([]error, len(t))
	var group sync.WaitGroup
	for i, issuer := range t {
		group.Go(func() { failures[i] = issuer.Keys.Ready(ctx) })
	}
	group.Wait()
	for _, err := range failures {
		if err == nil {
			return nil
		}
	}
	return errors.Join(failures...)
}

// detail is the age of the oldest keys, and how many issuers have keys that were
// read at all.
func (t trustedIssuers) detail() string {
	var oldest time.Duration
	known := 0
	for _, issuer := range t {
		if age, ok := issuer.Keys.Age(); ok {
			oldest = max(oldest, age)
			known++
		}
	}
	if known == 0 {
		return "never read"
	}
	return fmt.Sprintf("%d of %d issuers, oldest read %s ago", known, len(t), oldest.Round(time.Second))
}
