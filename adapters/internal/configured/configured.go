// Package configured reads documents at URLs and in files that the operator configures.
// Any address is allowed, unlike for URLs of clients; size and time are bounded.
package configured

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// maxRedirects bounds the redirects of a request.
const maxRedirects = 3

// NewClient returns a client for requests to configured URLs. A redirect must not lead
// from https to http.
func NewClient(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout: timeout,
		CheckRedirect: func(to *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("more than %d redirects", maxRedirects)
			}
			if via[0].URL.Scheme == "https" && to.URL.Scheme != "https" {
				return errors.New("redirect from https to http")
			}
			return nil
		},
	}
}

// Get returns the body of the response to a GET request, of at most maxBytes bytes.
func Get(ctx context.Context, client *http.Client, at, accept string, maxBytes int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s responds with %s", at, resp.Status)
	}
	return readAll(resp.Body, at, maxBytes)
}

// ReadFile returns the content of a regular file of at most maxBytes bytes. Other files,
// such as a FIFO, are rejected, because reading them can block permanently.
func ReadFile(path string, maxBytes int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readAll(file, path, maxBytes)
}

func readAll(from io.Reader, name string, maxBytes int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxBytes+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > maxBytes {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, maxBytes)
	}
	return text, nil
}
