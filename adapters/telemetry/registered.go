package telemetry

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/clientele-oauth/clientele/application"
)

// Registered are the metrics of clients that registered themselves, of all tenants together.
// Each process exports what it last counted.
type Registered struct {
	clients, unseen, pending *prometheus.Desc
	last                     atomic.Pointer[application.RegisteredCount] // nil before the first count
}

// WatchRegistered exports the numbers of clients that registered themselves. They are absent
// until [Registered.Counted] is called.
func (m *Metrics) WatchRegistered() *Registered {
	gauge := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(namespace+"_"+name, help, nil, nil)
	}
	r := &Registered{
		clients: gauge("registered_clients", "Clients that registered themselves and are not deleted."),
		unseen:  gauge("registered_clients_unseen", "Clients that registered themselves and of which no authorization server reported the use."),
		pending: gauge("documents_pending", "Client ID metadata documents that changed after their approval, and wait for the next one."),
	}
	m.registry.MustRegister(r)
	return r
}

// Counted records the result of a count.
func (r *Registered) Counted(count application.RegisteredCount) { r.last.Store(&count) }

// Describe implements [prometheus.Collector].
func (r *Registered) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{r.clients, r.unseen, r.pending} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (r *Registered) Collect(to chan<- prometheus.Metric) {
	count := r.last.Load()
	if count == nil {
		return
	}
	to <- prometheus.MustNewConstMetric(r.clients, prometheus.GaugeValue, float64(count.Clients))
	to <- prometheus.MustNewConstMetric(r.unseen, prometheus.GaugeValue, float64(count.Unseen))
	to <- prometheus.MustNewConstMetric(r.pending, prometheus.GaugeValue, float64(count.PendingDocuments))
}
