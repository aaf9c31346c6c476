package main

import (
	"errors"
	"net/url"
	"strings"
)

// publicFlags configure the operations that need no access token.
type publicFlags struct {
	PublicURL  string `name:"public-url" env:"CLIENTELE_PUBLIC_URL" placeholder:"URL" help:"URL at which others reach the service, e.g. https://clientele.example.com. It turns the public keys of clients on, at URL/oauth/TENANT/clients/CLIENT_ID/jwks.json without a token; off if unset."`
	PublicRate int    `name:"public-rate" default:"100" env:"CLIENTELE_PUBLIC_RATE" placeholder:"N" help:"Rate limit of requests without a token, per address and process, in requests per second (${default})."`
}

func (f publicFlags) checkPublic() error {
	if f.PublicRate <= 0 {
		return errors.New("--public-rate must be at least 1")
	}
	if f.PublicURL == "" {
		return nil
	}
	at, err := url.Parse(f.PublicURL)
	if err != nil || at.Scheme != "https" && at.Scheme != "http" || at.Host == "" {
		return errors.New("--public-url must begin with https:// or http://, followed by a host")
	}
	if at.User != nil || strings.ContainsAny(f.PublicURL, "?#") {
		return errors.New("--public-url must not have a user name, a query or a fragment")
	}
	return nil
}

// publicBase returns the URL without a slash at the end.
func (f publicFlags) publicBase() string { return strings.TrimRight(f.PublicURL, "/") }
