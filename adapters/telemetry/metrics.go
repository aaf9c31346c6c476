package telemetry

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// namespace is the prefix of the names of all metrics.
const namespace = "clientele"

// Metrics are the metrics of a process, in a registry of their own, so that it
// contains no metrics of libraries. Metrics are safe for concurrent use.
type Metrics struct {
	registry        *prometheus.Registry
	requests        *prometheus.CounterVec
	requestDuration *prometheus.HistogramVec
	violations      *prometheus.CounterVec
	authentications *prometheus.CounterVec
	shed            *prometheus.CounterVec
	readers         prometheus.Gauge
	storeDuration   *prometheus.HistogramVec
	storeFailures   *prometheus.CounterVec
	keyFetches      *prometheus.CounterVec
	fetchDuration   prometheus.Histogram
	sectorFetches   *prometheus.CounterVec
	ignoredKeys     *prometheus.CounterVec
	unreadable      *prometheus.CounterVec
}

// NewMetrics returns the metrics of a process of that version of the program.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry:        prometheus.NewRegistry(),
		requests:        counter("requests_total", "Requests, by operation of openapi.yaml and HTTP status.", "operation", "status"),
		requestDuration: histogram("request_duration_seconds", "Time to respond, by operation.", "operation"),
		violations:      counter("rule_refusals_total", "Violations for which a client was rejected, by rule; see /docs/rules.", "rule"),
		authentications: counter("client_authentications_total", "Requests to authenticate a client, by result: authenticated, undecided, or the reason why it is not.", "result"),
		shed:            counter("requests_shed_total", "Requests rejected before processing, by the limit that was reached: concurrent requests (load), requests of one caller (rate), requests that wait for changes (readers) or snapshots in progress (snapshots).", "cause"),
		readers: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: "feed", Name: "readers_waiting", Help: "Requests that wait for changes.",
		}),
		storeDuration: histogram("store_call_duration_seconds", "Duration of store calls, by call.", "call"),
		storeFailures: counter("store_failures_total", "Store calls that failed for a reason other than the caller's input, by call.", "call"),
		keyFetches:    counter("key_fetches_total", "Fetches of the keys at a jwks_uri, including cached ones, by outcome.", "outcome"),
		fetchDuration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "key_fetch_duration_seconds", Help: "Duration of fetches of the keys at a jwks_uri, including cached ones.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 7),
		}),
		sectorFetches: counter("sector_identifier_fetches_total", "Fetches of the document at a sector_identifier_uri, including cached ones, by outcome.", "outcome"),
		ignoredKeys:   counter("issuer_keys_ignored_total", "Keys of a token issuer that cannot be used, counted when a changed set is read.", "issuer", "reason"),
		unreadable:    counter("unreadable_records_total", "Reads of a stored record that cannot be decoded, by part; see clientele doctor.", "part"),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Always 1; the version is in the label.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(build, m.requests, m.requestDuration, m.violations, m.authentications, m.shed, m.readers, m.storeDuration, m.storeFailures,
		m.keyFetches, m.fetchDuration, m.sectorFetches, m.ignoredKeys, m.unreadable,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

// histogram returns a histogram of durations from a quarter of a millisecond to eight
// seconds.
func histogram(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(0.00025, 2, 16),
	}, labels)
}

// Handler returns a handler that serves the metrics in the format of Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// RequestDone records a response.
func (m *Metrics) RequestDone(operation string, status int, took time.Duration) {
	m.requests.WithLabelValues(operation, strconv.Itoa(status)).Inc()
	m.requestDuration.WithLabelValues(operation).Observe(took.Seconds())
}

// RuleViolated records a violation for which a client was rejected.
func (m *Metrics) RuleViolated(rule string) { m.violations.WithLabelValues(rule).Inc() }

// ClientAuthenticated records the result of a request to authenticate a client.
func (m *Metrics) ClientAuthenticated(result string) { m.authentications.WithLabelValues(result).Inc() }

// RequestShed records a request that was rejected because a limit was reached.
func (m *Metrics) RequestShed(cause string) { m.shed.WithLabelValues(cause).Inc() }

// ReadersWaiting records a change in the number of requests that wait for changes.
func (m *Metrics) ReadersWaiting(change int) { m.readers.Add(float64(change)) }
