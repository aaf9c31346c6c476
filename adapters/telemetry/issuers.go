package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// IssuerKeyIgnored records a key in an issuer's set that cannot be used.
func (m *Metrics) IssuerKeyIgnored(issuer, reason string) {
	m.ignoredKeys.WithLabelValues(issuer, reason).Inc()
}

// WatchIssuerKeys reads and exports the age of an issuer's keys at each scrape. The
// metric is absent until they were read for the first time.
func (m *Metrics) WatchIssuerKeys(issuer string, age func() (time.Duration, bool)) {
	m.registry.MustRegister(&ageCollector{age: age, description: prometheus.NewDesc(namespace+"_issuer_keys_age_seconds",
		"Time since the keys of a token issuer were last read.", nil, prometheus.Labels{"issuer": issuer})})
}

// ageCollector reads the age at each scrape.
type ageCollector struct {
	age         func() (time.Duration, bool)
	description *prometheus.Desc
}

// Describe implements [prometheus.Collector].
func (c *ageCollector) Describe(to chan<- *prometheus.Desc) { to <- c.description }

// Collect implements [prometheus.Collector].
func (c *ageCollector) Collect(to chan<- prometheus.Metric) {
	if age, ok := c.age(); ok {
		to <- prometheus.MustNewConstMetric(c.description, prometheus.GaugeValue, age.Seconds())
	}
}
