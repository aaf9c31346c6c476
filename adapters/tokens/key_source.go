package tokens

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/clientele-oauth/clientele/adapters/internal/configured"
	"github.com/clientele-oauth/clientele/adapters/internal/strictjson"
)

// KeySource reads the text of a token issuer's JWK Set.
type KeySource func(ctx context.Context) ([]byte, error)

// KeyLocation is the location of an issuer's keys. Exactly one field must be set.
type KeyLocation struct {
	URL  string // of the JWK Set
	File string // path of the JWK Set
	// Discovery reads the URL of the JWK Set from the issuer's metadata: OpenID
	// Connect Discovery 1.0 §4, and RFC 8414 §3 if that has none.
	Discovery bool
}

// Source returns the source of the issuer's keys at this location.
func (l KeyLocation) Source(issuer string) KeySource {
	switch {
	case l.Discovery:
		return KeysByDiscovery(issuer)
	case l.File != "":
		return KeysFromFile(l.File)
	default:
		return KeysFromURL(l.URL)
	}
}

// KeysFromURL returns a source that reads an http or https URL.
func KeysFromURL(at string) KeySource {
	client := configured.NewClient(issuerFetchTimeout)
	return func(ctx context.Context) ([]byte, error) { return getJSON(ctx, client, at) }
}

// getJSON fetches a document of bounded size.
func getJSON(ctx context.Context, client *http.Client, at string) ([]byte, error) {
	text, err := configured.Get(ctx, client, at, "application/jwk-set+json, application/json", maxIssuerKeysBytes)
	if err != nil {
		return nil, fmt.Errorf("issuer keys: %w", err)
	}
	return text, nil
}

// KeysFromFile returns a source that reads a file.
func KeysFromFile(path string) KeySource {
	return func(context.Context) ([]byte, error) {
		text, err := configured.ReadFile(path, maxIssuerKeysBytes)
		if err != nil {
			return nil, fmt.Errorf("issuer keys: %w", err)
		}
		return text, nil
	}
}

// KeysByDiscovery returns a source that reads the URL in the issuer's metadata. The
// metadata must name the same issuer, compared as strings (RFC 8414 §3.3, OpenID
// Connect Discovery 1.0 §4.3); otherwise the keys of another issuer could be used for
// its tokens.
func KeysByDiscovery(issuer string) KeySource {
	client := configured.NewClient(issuerFetchTimeout)
	return func(ctx context.Context) ([]byte, error) {
		urls, err := metadataURLs(issuer)
		if err != nil {
			return nil, err
		}
		var failures error
		for _, at := range urls {
			jwksURI, err := discover(ctx, client, at, issuer)
			if err == nil {
				return getJSON(ctx, client, jwksURI)
			}
			failures = errors.Join(failures, err)
		}
		return nil, failures
	}
}

// metadataURLs lists the URLs of an issuer's metadata: OpenID Connect Discovery
// appends to the issuer (§4.1), RFC 8414 inserts before the path (§3.1).
func metadataURLs(issuer string) ([]string, error) {
	u, err := url.Parse(issuer)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, errors.New("issuer keys: discovery requires an issuer that is an https URL without query and fragment")
	}
	origin, path := u.Scheme+"://"+u.Host, strings.TrimSuffix(u.EscapedPath(), "/")
	return []string{
		origin + path + "/.well-known/openid-configuration",
		origin + "/.well-known/oauth-authorization-server" + path,
	}, nil
}

// discover returns the jwks_uri in the metadata at a URL.
func discover(ctx context.Context, client *http.Client, at, issuer string) (string, error) {
	text, err := getJSON(ctx, client, at)
	if err != nil {
		return "", err
	}
	metadata, err := strictjson.Object(bytes.TrimSpace(text))
	if err != nil {
		return "", fmt.Errorf("issuer keys: %s is not a JSON object", at)
	}
	named, _ := strictjson.String(metadata["issuer"])
	if named != issuer {
		return "", fmt.Errorf("issuer keys: %s names the issuer %s, not %q", at, excerptOf(metadata["issuer"]), issuer)
	}
	jwksURI, ok := strictjson.String(metadata["jwks_uri"])
	if !ok || !fetchable(jwksURI, strings.HasPrefix(issuer, "http://")) {
		return "", fmt.Errorf("issuer keys: %s has no jwks_uri that is an https URL", at)
	}
	return jwksURI, nil
}

// fetchable reports whether keys can be fetched from a URL.
func fetchable(text string, allowHTTP bool) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (u.Scheme == "https" || allowHTTP && u.Scheme == "http")
}
