package main

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/clientele-oauth/clientele/api/client"
	"github.com/clientele-oauth/clientele/cmd/servicetest"
)

// target is the real program in a process of its own.
type target struct {
	*servicetest.Process
	token  string // of an administrator in the tenant of development
	binary string
	data   string
}

// startService builds the program and starts it over the database.
func startService(ctx context.Context, dir, database string) (*target, error) {
	binary, err := servicetest.Build(ctx, dir)
	if err != nil {
		return nil, err
	}
	t := &target{binary: binary, data: filepath.Join(dir, "data")}
	// The access log costs the service what it costs; nobody reads it.
	t.Process, err = servicetest.Start(ctx, binary, servicetest.Options{Quiet: true},
		"--dev", "--data", t.data, "--database-url", database, "--verify-rate", "1000000")
	if err != nil {
		return nil, err
	}
	t.token, err = servicetest.Token(t.data)
	return t, err
}

func (s *target) stop() {
	_ = s.Command.Process.Signal(syscall.SIGTERM)
	<-s.Ended
}

// tokenFor returns an administrator's token for a tenant.
func (s *target) tokenFor(ctx context.Context, tenant string) (string, error) {
	output, err := exec.CommandContext(ctx, s.binary, "token", "--data", s.data, "--tenant", tenant).Output()
	if err != nil {
		return "", fmt.Errorf("a token: %w", err)
	}
	return strings.TrimSpace(string(output)), nil
}

// populate registers n clients of an ordinary kind. The secret is the first
// one's.
func (s *target) populate(ctx context.Context, n int) (ids []string, secret string, err error) {
	c, err := client.NewClientWithResponses(s.URL, client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+s.token)
		return nil
	}))
	if err != nil {
		return nil, "", err
	}
	ids = make([]string, n)
	for i := range ids {
		created, err := c.CreateClientWithResponse(ctx, nil, client.CreateClientRequest{
			Name:         new(fmt.Sprintf("Application %d", i)),
			RedirectUris: &[]string{"https://app.example.com/callback", "https://app.example.com/silent"},
			GrantTypes:   &[]string{"authorization_code", "refresh_token"},
			Scopes:       &[]string{"openid", "profile", "email", "offline_access"},
			LogoURL:      new("https://app.example.com/logo.png"),
			Website:      new("https://app.example.com/"),
		})
		if err != nil {
			return nil, "", err
		}
		if created.JSON201 == nil {
			return nil, "", fmt.Errorf("register a client: %s", created.Body)
		}
		if i == 0 {
			secret = *created.JSON201.Data.ClientSecret
		}
		ids[i] = *created.JSON201.Data.ClientID
	}
	return ids, secret, nil
}
