package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/clientele-oauth/clientele/domain"
)

// WatchServerMetadata reads and exports the age of the metadata of a tenant's
// authorization server at each scrape; the empty tenant is every tenant without a server
// of its own. The metric is absent until the metadata was read for the first time.
func (m *Metrics) WatchServerMetadata(tenant domain.TenantID, age func() (time.Duration, bool)) {
	m.registry.MustRegister(&ageCollector{age: age, description: prometheus.NewDesc(namespace+"_server_metadata_age_seconds",
		"Time since the metadata of an authorization server was last read.", nil, prometheus.Labels{"tenant": string(tenant)})})
}
