package telemetry

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/clientele-oauth/clientele/application"
)

// SecretEnds are the metrics of the background pass that records the ends of secrets, see
// [application.RecordSecretEnds].
type SecretEnds struct {
	ended, failed prometheus.Counter
	last          atomic.Int64 // when the last run succeeded, in nanoseconds; 0 if none has
	now           func() time.Time
}

// WatchSecretEnds exports the metrics of the background pass that records the ends of
// secrets. The age of the last run is absent until one succeeded.
func (m *Metrics) WatchSecretEnds(now func() time.Time) *SecretEnds {
	s := &SecretEnds{
		ended: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "secret_ends_total", Help: "Secrets whose end this process recorded in the log.",
		}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "secret_ends_failed_total",
			Help: "Clients whose secret end could not be recorded because their record is damaged; each is tried again after an hour.",
		}),
		now: now,
	}
	m.registry.MustRegister(s.ended, s.failed, &ageCollector{age: s.age, description: prometheus.NewDesc(namespace+"_secret_ends_age_seconds",
		"Time since this process last looked for secrets that have ended, and recorded all of them.", nil, nil)})
	return s
}

// Done records a run.
func (s *SecretEnds) Done(run application.SecretEndsRun, err error) {
	s.ended.Add(float64(run.Ended))
	s.failed.Add(float64(run.Failed))
	if err == nil && !run.More {
		s.last.Store(s.now().UnixNano())
	}
}

func (s *SecretEnds) age() (time.Duration, bool) {
	last := s.last.Load()
	return s.now().Sub(time.Unix(0, last)), last != 0
}
