package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// profile takes a profile of the service while a measurement goes on, where one
// is wanted; the function that it returns waits for it. That of the last round is
// kept.
func (b *bench) profile(ctx context.Context, name, operators string) (profiled func() error) {
	if b.opts.Profiles == "" {
		return func() error { return nil }
	}
	done := make(chan error, 1)
	go func() { done <- b.fetchProfile(ctx, name, operators) }()
	return func() error { return <-done }
}

func (b *bench) fetchProfile(ctx context.Context, name, operators string) error {
	seconds := max(1, int((b.opts.Duration - time.Second/2).Seconds()))
	url := fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", operators, seconds)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("profile: answer %d", answer.StatusCode)
	}
	if err := os.MkdirAll(b.opts.Profiles, 0o755); err != nil { //nolint:gosec // profiles are for everybody
		return err
	}
	file, err := os.Create(filepath.Join(b.opts.Profiles, strings.NewReplacer(" ", "-", ",", "", ":", "").Replace(name)+".pprof"))
	if err != nil {
		return err
	}
	_, err = io.Copy(file, answer.Body)
	return errors.Join(err, file.Close())
}
