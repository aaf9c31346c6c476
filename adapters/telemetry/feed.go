package telemetry

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// scrapeTimeout bounds the call of the store during a scrape.
const scrapeTimeout = 2 * time.Second

// WatchFeed reads and exports at each scrape the age of the oldest committed change
// that readers of the feed do not receive yet. The metric is absent if lag fails.
func (m *Metrics) WatchFeed(lag func(context.Context) (time.Duration, error)) {
	m.registry.MustRegister(&feedLag{
		read: lag,
		description: prometheus.NewDesc(namespace+"_feed_lag_seconds",
			"Age of the oldest committed change that readers of the feed do not receive yet; 0 if there is none.", nil, nil),
	})
}

// feedLag calls the store at each scrape.
type feedLag struct {
	read        func(context.Context) (time.Duration, error)
	description *prometheus.Desc
}

// Describe implements [prometheus.Collector].
func (f *feedLag) Describe(to chan<- *prometheus.Desc) { to <- f.description }

// Collect implements [prometheus.Collector].
func (f *feedLag) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	if lag, err := f.read(ctx); err == nil {
		to <- prometheus.MustNewConstMetric(f.description, prometheus.GaugeValue, lag.Seconds())
	}
}
