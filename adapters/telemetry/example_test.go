package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/clientele-oauth/clientele/adapters/telemetry"
	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

func ExampleMetrics() {
	metrics := telemetry.NewMetrics("1.2.3")
	metrics.RequestDone("getClient", http.StatusOK, 2*time.Millisecond)
	metrics.RuleViolated("jwk-private")
	for line := range strings.Lines(scrape(metrics)) {
		if strings.HasPrefix(line, "clientele_requests_total") || strings.HasPrefix(line, "clientele_rule_") {
			fmt.Print(line)
		}
	}
	// Output:
	// clientele_requests_total{operation="getClient",status="200"} 1
	// clientele_rule_refusals_total{rule="jwk-private"} 1
}

// emptyStore is a store without clients.
type emptyStore struct{ application.Store }

func (emptyStore) Find(context.Context, domain.TenantID, domain.ClientID) (domain.Client, error) {
	return domain.Client{}, application.ErrNotFound
}

// A call is timed under its name. An unknown client is not a failure of the store.
func ExampleMetrics_TimeStore() {
	metrics := telemetry.NewMetrics("1.2.3")
	store := metrics.TimeStore(emptyStore{})
	_, err := store.Find(context.Background(), "acme", "app-1")
	fmt.Println("unknown client:", errors.Is(err, application.ErrNotFound))
	for line := range strings.Lines(scrape(metrics)) {
		if strings.HasPrefix(line, "clientele_store_call_duration_seconds_count") || strings.HasPrefix(line, "clientele_store_failures") {
			fmt.Print(line)
		}
	}
	// Output:
	// unknown client: true
	// clientele_store_call_duration_seconds_count{call="Find"} 1
}

func scrape(metrics *telemetry.Metrics) string {
	response := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(response, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	return response.Body.String()
}
