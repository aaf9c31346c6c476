package main

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/clientele-oauth/clientele/adapters/servermetadata"
)

// serverFlags name the metadata of authorization servers.
type serverFlags struct {
	ServerMetadata []string `env:"CLIENTELE_SERVER_METADATA" placeholder:"[TENANT=]LOCATION" help:"URL or file of the authorization server's metadata (OpenID Connect Discovery, RFC 8414): clients are also validated against what it supports. With TENANT=, for one tenant; otherwise for every tenant without its own."`
}

// servers returns the authorization servers that the flags name. It reads nothing yet.
func (f serverFlags) servers(log *slog.Logger) (*servermetadata.Servers, error) {
	var locations []servermetadata.Location
	for _, text := range f.ServerMetadata {
		location, err := servermetadata.ParseLocation(text)
		if err != nil {
			return nil, fmt.Errorf("--server-metadata: %w", err)
		}
		locations = append(locations, location)
	}
	servers, err := servermetadata.New(locations, log, time.Now)
	if err != nil {
		return nil, fmt.Errorf("--server-metadata: %w", err)
	}
	return servers, nil
}
