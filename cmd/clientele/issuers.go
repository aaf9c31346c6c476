package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clientele-oauth/clientele/adapters/tokens"
)

// trustedIssuers are the issuers whose access tokens the service accepts.
type trustedIssuers []tokens.Issuer

// ready returns nil as soon as the keys of one issuer are usable. An issuer that is down
// or slow must not make the service unavailable to the callers of the others.
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

// detail returns the number of issuers whose keys were read, and the age of the oldest.
func (t trustedIssuers) detail() string {
	var oldest time.Duration
	read := 0
	for _, issuer := range t {
		if age, ok := issuer.Keys.Age(); ok {
			oldest = max(oldest, age)
			read++
		}
	}
	if read == 0 {
		return "never read"
	}
	return fmt.Sprintf("keys read for %d of %d issuers, oldest %s ago", read, len(t), oldest.Round(time.Second))
}
