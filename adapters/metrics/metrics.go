// Package metrics counts and times what the service does, for Prometheus.
package metrics

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// namespace begins the name of every metric of ours.
const namespace = "clientele"

// scrapeTimeout bounds what is asked of the store for one scrape.
const scrapeTimeout = 2 * time.Second

// Metrics is a registry of its own, so that nothing else gets into it. It is
// safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	refusals *prometheus.CounterVec
	shed     *prometheus.CounterVec
	readers  prometheus.Gauge
	store    *prometheus.HistogramVec
	failures *prometheus.CounterVec
	fetches  *prometheus.CounterVec
	fetching prometheus.Histogram

	ignoredKeys *prometheus.CounterVec
	unreadable  *prometheus.CounterVec
}

// New returns the metrics of a process of that version.
func New(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: counters("requests_total", "Requests answered, by operation of openapi.yaml and HTTP status.", "operation", "status"),
		latency:  timings("request_duration_seconds", "Time to answer, by operation.", "operation"),
		refusals: counters("rule_refusals_total", "Violations that refused a client, by rule; see /docs/rules.", "rule"),
		shed:     counters("requests_shed_total", "Requests turned away before any work: by the limit on concurrent work (load), on a caller (rate) or on requests that wait for changes (readers).", "cause"),
		readers: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: "feed", Name: "readers_waiting", Help: "Requests that wait for changes.",
		}),
		store:    timings("store_call_duration_seconds", "Time of calls of the store, by call.", "call"),
		failures: counters("store_failures_total", "Calls of the store that failed for a reason that is not the caller's, by call.", "call"),
		fetches:  counters("key_fetches_total", "Looks at the keys behind a jwks_uri, remembered ones included, by outcome.", "outcome"),
		fetching: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "key_fetch_duration_seconds", Help: "Time of looks at the keys behind a jwks_uri.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 7),
		}),
		ignoredKeys: counters("issuer_keys_ignored_total", "Keys of a token issuer that cannot be used, counted when a set is read that has changed.", "issuer", "reason"),
		unreadable:  counters("unreadable_records_total", "Times that a read met a stored record that cannot be decoded, by part; see clientele doctor.", "part"),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Always 1; the version is in the label.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(build, m.requests, m.latency, m.refusals, m.shed, m.readers, m.store, m.failures, m.fetches, m.fetching,
		m.ignoredKeys, m.unreadable,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

// timings are histograms from a quarter of a millisecond to eight seconds.
func timings(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(0.00025, 2, 16),
	}, labels)
}

// Handler serves the metrics in Prometheus's format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// RequestDone notes an answered request.
func (m *Metrics) RequestDone(operation string, status int, took time.Duration) {
	m.requests.WithLabelValues(operation, strconv.Itoa(status)).Inc()
	m.latency.WithLabelValues(operation).Observe(took.Seconds())
}

// RuleRefused notes a violation that refused a client.
func (m *Metrics) RuleRefused(rule string) { m.refusals.WithLabelValues(rule).Inc() }

// RequestShed notes a request that was turned away.
func (m *Metrics) RequestShed(cause string) { m.shed.WithLabelValues(cause).Inc() }

// ReadersWaiting notes requests that begin or end to wait for changes.
func (m *Metrics) ReadersWaiting(more int) { m.readers.Add(float64(more)) }

// Pool is how the connections to the database stand.
type Pool struct {
	Used, Idle, Limit int32
	Waits             int64         // how often a call found none free, since the start
	Waited            time.Duration // for how long altogether
}

// WatchPool shows how the connections stand whenever somebody looks.
func (m *Metrics) WatchPool(read func() Pool) {
	gauge := func(name, help string, of func(Pool) float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(
			prometheus.GaugeOpts{Namespace: namespace, Subsystem: "pool", Name: name, Help: help},
			func() float64 { return of(read()) }))
	}
	counter := func(name, help string, of func(Pool) float64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(
			prometheus.CounterOpts{Namespace: namespace, Subsystem: "pool", Name: name, Help: help},
			func() float64 { return of(read()) }))
	}
	gauge("connections_used", "Connections to the database that are in use.", func(p Pool) float64 { return float64(p.Used) })
	gauge("connections_idle", "Connections to the database that are open and free.", func(p Pool) float64 { return float64(p.Idle) })
	gauge("connections_limit", "Connections to the database that there may be.", func(p Pool) float64 { return float64(p.Limit) })
	counter("waits_total", "Calls of the store that waited for a connection.", func(p Pool) float64 { return float64(p.Waits) })
	counter("wait_seconds_total", "Time that calls of the store waited for a connection.", func(p Pool) float64 { return p.Waited.Seconds() })
}

// WatchFeed shows for how long the oldest change that is committed has been
// waiting to be handed to readers of the feed, whenever somebody looks. While
// the store cannot tell, the metric is absent.
func (m *Metrics) WatchFeed(lag func(context.Context) (time.Duration, error)) {
	m.registry.MustRegister(&feedLag{
		read: lag,
		description: prometheus.NewDesc(namespace+"_feed_lag_seconds",
			"Age of the oldest committed change that readers of the feed are not given yet; 0 where there is none.", nil, nil),
	})
}

// feedLag asks the store when it is asked itself.
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
