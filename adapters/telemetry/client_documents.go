package telemetry

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// CountDocuments returns the source of client ID metadata documents with its fetches
// counted. It is called at most once.
func (m *Metrics) CountDocuments(next application.ClientDocuments) application.ClientDocuments {
	fetches := counter("document_fetches_total",
		"Fetches of client ID metadata documents, by result: fetched, cached, unreachable, malformed, limited (the host was asked too often) or unavailable (too many fetches were in progress).",
		"result")
	m.registry.MustRegister(fetches)
	return countedDocuments{fetches: fetches, next: next}
}

type countedDocuments struct {
	fetches *prometheus.CounterVec
	next    application.ClientDocuments
}

// FetchClientDocument implements [application.ClientDocuments].
func (d countedDocuments) FetchClientDocument(
	ctx context.Context, tenant domain.TenantID, url domain.ClientID, maxBytes int, again bool,
) (application.FetchedDocument, error) {
	fetched, err := d.next.FetchClientDocument(ctx, tenant, url, maxBytes, again)
	failure, unusable := errors.AsType[*application.DocumentError](err)
	result := "unavailable"
	switch {
	case unusable:
		result = string(failure.Reason)
	case errors.Is(err, application.ErrTooManyRequests):
		result = "limited"
	case err == nil && fetched.Cached:
		result = "cached"
	case err == nil:
		result = "fetched"
	}
	d.fetches.WithLabelValues(result).Inc()
	return fetched, err
}
