package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/clientele-oauth/clientele/api/client"
)

// service is the real program in a process of its own.
type service struct {
	command *exec.Cmd
	url     string
	token   string // of an administrator in the tenant of development
	binary  string
	data    string
}

// startService builds the program and starts it over the database, with its
// logs going to a file.
func startService(ctx context.Context, dir, database string) (*service, error) {
	binary, data := filepath.Join(dir, "clientele"), filepath.Join(dir, "data")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/clientele")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("build the service: %w", err)
	}
	s := &service{binary: binary, data: data, command: exec.CommandContext(ctx, binary, "serve", "--dev",
		"--listen", "127.0.0.1:0", "--data", data, "--database-url", database, "--verify-rate", "1000000")}
	stderr, err := s.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.command.Start(); err != nil {
		return nil, fmt.Errorf("start the service: %w", err)
	}
	listening := make(chan string, 1)
	go func() {
		defer close(listening)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			var entry struct{ Msg, Address string }
			if s.url == "" && json.Unmarshal(lines.Bytes(), &entry) == nil && entry.Msg == "listening" {
				listening <- entry.Address
				break
			}
		}
		for lines.Scan() { // the access log costs the service what it costs; nobody reads it
		}
	}()
	address, ok := <-listening
	if !ok {
		return nil, errors.New("the service ended before it listened")
	}
	s.url = "http://" + address
	token, err := os.ReadFile(filepath.Join(data, "admin.token"))
	if err != nil {
		return nil, err
	}
	s.token = strings.TrimSpace(string(token))
	return s, nil
}

func (s *service) stop() {
	_ = s.command.Process.Signal(syscall.SIGTERM)
	_ = s.command.Wait()
}

// tokenFor returns an administrator's token for a tenant.
func (s *service) tokenFor(ctx context.Context, tenant string) (string, error) {
	output, err := exec.CommandContext(ctx, s.binary, "token", "--data", s.data, "--tenant", tenant).Output()
	if err != nil {
		return "", fmt.Errorf("a token: %w", err)
	}
	return strings.TrimSpace(string(output)), nil
}

// populate registers n clients of an ordinary kind. The secret is the first
// one's.
func (s *service) populate(ctx context.Context, n int) (ids []string, secret string, err error) {
	c, err := client.NewClientWithResponses(s.url, client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
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
