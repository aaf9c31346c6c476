// Package telemetry exports what operators observe: metrics for Prometheus and traces
// by OpenTelemetry.
//
// [Metrics] count and time requests, and wrap the ports that they observe:
//
//	metrics := telemetry.NewMetrics(version)
//	store = metrics.TimeStore(metrics.ReportUnreadable(store, log))
//	resolver = metrics.TimeKeys(resolver)
//	mux.Handle("/metrics", metrics.Handler())
//
// [TracingFromEnvironment] returns nil unless the environment enables traces; a nil
// [Tracing] does nothing.
package telemetry
