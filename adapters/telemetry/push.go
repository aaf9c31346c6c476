package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/clientele-oauth/clientele/application/push"
)

// WatchPush reads and exports the figures of a worker that pushes clients, at each scrape.
func (m *Metrics) WatchPush(target string, read func() push.Stats) {
	labels := prometheus.Labels{"target": target}
	gauge := func(name, help string, of func(push.Stats) float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(
			prometheus.GaugeOpts{Namespace: namespace, Subsystem: "sync", Name: name, Help: help, ConstLabels: labels},
			func() float64 { return of(read()) }))
	}
	counter := func(name, help string, of func(push.Stats) float64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(
			prometheus.CounterOpts{Namespace: namespace, Subsystem: "sync", Name: name, Help: help, ConstLabels: labels},
			func() float64 { return of(read()) }))
	}
	gauge("active", "1 if this process pushes, 0 if another one does.", func(s push.Stats) float64 {
		if s.Active {
			return 1
		}
		return 0
	})
	gauge("lag_seconds", "Age of the oldest change that is not pushed yet; 0 if there is none.", func(s push.Stats) float64 { return s.Lag.Seconds() })
	gauge("queue", "Clients to be pushed now.", func(s push.Stats) float64 { return float64(s.Queue) })
	gauge("retried", "Clients whose last attempt failed, and is repeated.", func(s push.Stats) float64 { return float64(s.Retried) })
	gauge("refused", "Clients that the server refuses.", func(s push.Stats) float64 { return float64(s.Refused) })
	gauge("secrets_unknown", "Clients whose secret at the server is not valid in the registry, or soon no more.", func(s push.Stats) float64 { return float64(s.Secrets) })
	counter("pushed_total", "Changes made at the server.", func(s push.Stats) float64 { return float64(s.Pushed) })
	counter("drift_total", "Clients that were changed at the server, and repaired.", func(s push.Stats) float64 { return float64(s.Drift) })
}
