package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/clientele-oauth/clientele/api/client"
	"github.com/clientele-oauth/clientele/cmd/servicetest"
)

// target is the service in its own process, over one of the stores.
type target struct {
	*servicetest.Process
	issuer     *issuer
	ready      time.Duration // from start to ready
	idleMemory int64         // bytes of resident memory when it became ready
}

// startService starts the service twice. The first start migrates the store; the second
// measures how long the service takes to become ready on a migrated store.
func startService(ctx context.Context, binary, dir, database string, i *issuer, opts options) (*target, error) {
	args := []string{
		"--data", dir, "--issuer", issuerName, "--issuer-keys", i.keysFile, "--verify-rate", "1000000", "--max-concurrent", "4096",
		"--admin-listen", "127.0.0.1:0",
		"--max-following", "4096", "--max-following-per-caller", "4096", "--max-following-per-tenant", "4096",
	}
	if database != "" {
		args = append(args, "--database-url", database)
	}
	settings := servicetest.Options{Quiet: true, Env: []string{fmt.Sprintf("GOMAXPROCS=%d", opts.Processors)}}
	for migrated := false; ; migrated = true {
		began := time.Now()
		// The service writes its access log, because the cost is part of the measurement;
		// Quiet discards the lines.
		p, err := servicetest.Start(ctx, binary, settings, args...)
		if err != nil {
			return nil, err
		}
		t := &target{Process: p, issuer: i}
		if err := t.awaitReady(ctx); err != nil {
			return nil, errors.Join(err, t.stop())
		}
		t.ready = time.Since(began)
		if migrated {
			t.idleMemory, err = residentMemory(t.Command.Process.Pid, "VmRSS")
			return t, err
		}
		if err := t.stop(); err != nil {
			return nil, err
		}
	}
}

func (t *target) awaitReady(ctx context.Context) error {
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, t.URL+"/readyz", http.NoBody)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			return fmt.Errorf("the service does not respond: %w", err)
		}
		_ = response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return nil
		}
	}
}

func (t *target) stop() error {
	err := t.Command.Process.Signal(syscall.SIGTERM)
	<-t.Ended
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// devTenant is the tenant whose clients the measurements change.
const devTenant = "tenant_bench"

// populate registers n ordinary clients, some concurrently. It returns their ids and the
// secret of the first one.
func (t *target) populate(ctx context.Context, n int) (ids []string, secret string, err error) {
	tokens, err := t.issuer.tokens(devTenant)
	if err != nil {
		return nil, "", err
	}
	c, err := client.Connect(t.URL, client.Settings{Token: client.StaticToken(tokens[0])})
	if err != nil {
		return nil, "", err
	}
	ids = make([]string, n)
	failures := make([]error, 8)
	var group sync.WaitGroup
	for w := range failures {
		group.Go(func() {
			for i := w; i < n && failures[w] == nil; i += len(failures) {
				created, err := c.CreateClientWithResponse(ctx, nil, client.CreateClientRequest{
					Name:         new(fmt.Sprintf("Application %d", i)),
					RedirectUris: &[]string{"https://app.example.com/callback", "https://app.example.com/silent"},
					GrantTypes:   &[]string{"authorization_code", "refresh_token"},
					Scopes:       &[]string{"openid", "profile", "email", "offline_access"},
					LogoURL:      new("https://app.example.com/logo.png"),
					Website:      new("https://app.example.com/"),
				})
				if err != nil {
					failures[w] = err
					return
				}
				if i == 0 {
					secret = *created.JSON201.Data.ClientSecret
				}
				ids[i] = *created.JSON201.Data.ClientID
			}
		})
	}
	group.Wait()
	return ids, secret, errors.Join(failures...)
}
