package telemetry_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/adapters/telemetry"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// fixedDocuments always has one result.
type fixedDocuments struct {
	cached bool
	err    error
}

func (d fixedDocuments) FetchClientDocument(
	_ context.Context, _ domain.TenantID, _ domain.ClientID, _ int, again bool,
) (application.FetchedDocument, error) {
	return application.FetchedDocument{Cached: d.cached && !again}, d.err
}

func TestFetchesOfDocumentsAreCounted(t *testing.T) {
	for result, source := range map[string]fixedDocuments{
		"fetched":     {},
		"cached":      {cached: true},
		"unreachable": {err: &application.DocumentError{Reason: application.DocumentUnreachable}},
		"malformed":   {err: &application.DocumentError{Reason: application.DocumentMalformed}},
		"limited":     {err: &application.RetryError{Cause: application.ErrTooManyRequests}},
		"unavailable": {err: application.ErrTooManyFetches},
	} {
		metrics := telemetry.NewMetrics("1.2.3")
		counted := metrics.CountDocuments(source)
		fetched, err := counted.FetchClientDocument(t.Context(), "a", "https://a.example/c", 0, false)
		assert.Equal(t, source.cached, fetched.Cached)
		require.ErrorIs(t, err, source.err, "the result is passed on")
		assert.Contains(t, scrape(metrics), `clientele_document_fetches_total{result="`+result+`"} 1`)
		_, _ = counted.FetchClientDocument(t.Context(), "a", "https://a.example/c", 0, true)
		if !source.cached {
			assert.Contains(t, scrape(metrics), `clientele_document_fetches_total{result="`+result+`"} 2`)
		}
	}
}

func TestRegisteredClientsAreCounted(t *testing.T) {
	metrics := telemetry.NewMetrics("1.2.3")
	registered := metrics.WatchRegistered()
	for _, name := range []string{"clientele_registered_clients", "clientele_documents_pending"} {
		assert.NotContains(t, scrape(metrics), name, "nothing was counted")
	}
	registered.Counted(application.RegisteredCount{Clients: 7, Unseen: 3, PendingDocuments: 5})
	lines := strings.Split(scrape(metrics), "\n")
	for _, want := range []string{"clientele_registered_clients 7", "clientele_registered_clients_unseen 3", "clientele_documents_pending 5"} {
		assert.Contains(t, lines, want)
	}
	registered.Counted(application.RegisteredCount{})
	assert.Contains(t, strings.Split(scrape(metrics), "\n"), "clientele_documents_pending 0")
}
