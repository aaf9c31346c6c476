package tokens

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

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

// maxIssuerRedirects bounds the redirects of a request to an issuer.
const maxIssuerRedirects = 3

// issuerClient returns a client for requests to issuers. The operator configures their
// URLs, so any address is allowed; but a redirect must not lead from https to http.
func issuerClient() *http.Client {
	return &http.Client{
		Timeout: issuerFetchTimeout,
		CheckRedirect: func(to *http.Request, via []*http.Request) error {
			if len(via) > maxIssuerRedirects {
				return fmt.Errorf("more than %d redirects", maxIssuerRedirects)
			}
			if via[0].URL.Scheme == "https" && to.URL.Scheme != "https" {
				return errors.New("redirect from https to http")
			}
			return nil
		},
	}
}

// KeysFromURL returns a source that reads an http or https URL.
func KeysFromURL(at string) KeySource {
	client := issuerClient()
	return func(ctx context.Context) ([]byte, error) { return getJSON(ctx, client, at) }
}

// getJSON fetches a document of bounded size.
func getJSON(ctx context.Context, client *http.Client, at string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("issuer keys: %w", err)
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("issuer keys: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("issuer keys: %s responds with %s", at, resp.Status)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxIssuerKeysBytes+1))
	if err != nil {
		return nil, fmt.Errorf("issuer keys: %w", err)
	}
	if len(text) > maxIssuerKeysBytes {
		return nil, fmt.Errorf("issuer keys: %s is larger than %d bytes", at, maxIssuerKeysBytes)
	}
	return text, nil
}

// KeysFromFile returns a source that reads a file.
func KeysFromFile(path string) KeySource {
	return func(context.Context) ([]byte, error) {
		file, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("issuer keys: %w", err)
		}
		defer file.Close()
		text, err := io.ReadAll(io.LimitReader(file, maxIssuerKeysBytes+1))
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
	client := issuerClient()
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
