package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Pool is the state of the pool of database connections.
type Pool struct {
	Used, Idle, Limit int32
	Waits             int64         // calls since the start that waited for a free connection
	Waited            time.Duration // the total time for which they waited
}

// WatchPool reads and exports the state of the pool at each scrape.
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
	gauge("connections_used", "Database connections in use.", func(p Pool) float64 { return float64(p.Used) })
	gauge("connections_idle", "Database connections that are open and idle.", func(p Pool) float64 { return float64(p.Idle) })
	gauge("connections_limit", "Maximum number of database connections.", func(p Pool) float64 { return float64(p.Limit) })
	counter("waits_total", "Store calls that waited for a connection.", func(p Pool) float64 { return float64(p.Waits) })
	counter("wait_seconds_total", "Time for which store calls waited for a connection.", func(p Pool) float64 { return p.Waited.Seconds() })
}
