package jwks

// This file makes one request for a document, and lets concurrent callers share it.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// unresolvedDelay is the earliest time after the start of a fetch at which a
// name that does not exist, or one without a public address, is reported, or
// half the timeout if that is less. So the two cannot be distinguished by time;
// resolvers mostly respond sooner.
const unresolvedDelay = 500 * time.Millisecond

// media are the media types that are accepted.
type media struct {
	types []string // the preferred one first
	// anyJSON also accepts every other type application/*+json, without asking for it.
	anyJSON bool
}

func (m media) accepts(kind string) bool {
	return slices.Contains(m.types, kind) ||
		m.anyJSON && strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")
}

func (m media) String() string {
	names := m.types
	if m.anyJSON {
		names = append(slices.Clone(names), "application/*+json")
	}
	return strings.Join(names, " or ")
}

// fetcher makes requests for documents. It is the only code that connects to hosts of
// clients.
type fetcher struct {
	options      Options
	media        media
	maxRedirects int
	client       *http.Client
}

func newFetcher(options Options, accepted media, maxRedirects int) *fetcher {
	return &fetcher{options: options, media: accepted, maxRedirects: maxRedirects, client: guardedClient(options, maxRedirects)}
}

// get makes one request. A longer text than maxBytes is cut one byte behind it. failure is
// the reason why there is no text.
func (f *fetcher) get(uri string, maxBytes int64) (text []byte, header http.Header, failure string) {
	ctx, cancel := context.WithTimeout(context.Background(), f.options.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, http.NoBody)
	if err != nil {
		return nil, nil, "the URI cannot be requested"
	}
	request.Header.Set("Accept", strings.Join(f.media.types, ", "))
	began := time.Now()
	response, err := f.client.Do(request)
	if err != nil {
		if _, unresolved := errors.AsType[*net.DNSError](err); unresolved || errors.Is(err, errAddress) {
			f.options.Wait(ctx, min(unresolvedDelay, f.options.Timeout/2)-time.Since(began))
		}
		return nil, nil, f.failure(err)
	}
	defer response.Body.Close()
	if reason := f.unacceptable(response); reason != "" {
		return nil, nil, reason
	}
	if text, err = io.ReadAll(io.LimitReader(response.Body, maxBytes+1)); err != nil {
		return nil, nil, f.failure(err)
	}
	return text, response.Header, ""
}

// unreachable is the one reason for a name that does not exist, a name without a
// public address and a host that cannot be reached, so that the registry cannot be
// used to probe a network.
const unreachable = "the host cannot be reached at a public address, or does not speak TLS with a valid certificate"

// failure reports why a fetch failed.
func (f *fetcher) failure(err error) string {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, errRedirects) && f.maxRedirects == 0:
		return "the host redirects, which is not followed"
	case errors.Is(err, errRedirects):
		return "the host redirects more than " + strconv.Itoa(f.maxRedirects) + " times"
	case errors.Is(err, errRedirectTarget):
		return "the host redirects to a URI from which nothing is fetched"
	case errors.Is(err, errAddress):
		return unreachable
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "the host did not respond in time"
	default:
		return unreachable
	}
}

// unacceptable reports why the body of a response is not read; empty if it is.
func (f *fetcher) unacceptable(response *http.Response) string {
	if response.StatusCode != http.StatusOK {
		return "the host responded with status " + strconv.Itoa(response.StatusCode)
	}
	kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil || !f.media.accepts(kind) {
		return "the Content-Type is not " + f.media.String()
	}
	if encoding := response.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return "the response is compressed, although the request did not allow it"
	}
	return ""
}

// share returns what is known, or else what fetch returns, which concurrent calls with the
// same key share. The error is that of fetch or [application.ErrUnavailable].
func share[T any](
	ctx context.Context, flight *singleflight.Group, tenant domain.TenantID, key string,
	known func() (result[T], bool), fetch func() (result[T], error),
) (result[T], error) {
	if found, ok := known(); ok {
		return found, nil
	}
	for {
		// The end of one caller's request must not fail the fetch for the others,
		// so the fetch has its own deadline.
		outcome := flight.DoChan(key, func() (any, error) {
			if found, ok := known(); ok {
				return found, nil
			}
			return fetch()
		})
		select {
		case done := <-outcome:
			if fetched, ok := done.Val.(result[T]); ok && done.Err == nil {
				return fetched, nil
			}
			limited, ok := errors.AsType[*limitError](done.Err)
			if ok && limited.tenant != tenant {
				continue // the share of another tenant was used up, not this one's
			}
			return result[T]{}, done.Err
		case <-ctx.Done():
			return result[T]{}, fmt.Errorf("%w: %w", application.ErrUnavailable, ctx.Err())
		}
	}
}
