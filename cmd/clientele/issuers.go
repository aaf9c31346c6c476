package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clientele-oauth/clientele/adapters/jose"
)

// trustedIssuers are the issuers whose access tokens the service accepts.
type trustedIssuers []jose.Issuer

// ready returns nil as soon as the keys of one issuer can be used: one that is
// down or slow must not take the service away from the callers of the others.
func (t trustedIssuers) ready(ctx context.Context) error {
	results := make(chan error, len(t))
	for _, issuer := range t {
		go func() { results <- issuer.Keys.Ready(ctx) }()
	}
	var failures error
	for range t {
		err := <-results
		if err == nil {
			return nil
		}
		failures = errors.Join(failures, err)
	}
	return failures
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
	return fmt.Sprintf("keys read for %d of %d issuers, oldest %s ago", known, len(t), oldest.Round(time.Second))
}
