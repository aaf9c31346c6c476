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

// profile takes a CPU profile of the service during a measurement, if --profiles is set.
// The returned function waits for the profile. The file has the profile of the last
// round.
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
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("profile: response %d", response.StatusCode)
	}
	if err := os.MkdirAll(b.opts.Profiles, 0o755); err != nil { //nolint:gosec // profiles may be read by all users
		return err
	}
	file, err := os.Create(filepath.Join(b.opts.Profiles, strings.NewReplacer(" ", "-", ",", "", ":", "").Replace(name)+".pprof"))
	if err != nil {
		return err
	}
	_, err = io.Copy(file, response.Body)
	return errors.Join(err, file.Close())
}
