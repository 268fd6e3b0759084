// Package telemetry tells operators how a server does: metrics for Prometheus, a log for machines, and traces of
// deployments. Metrics name no application, target or deployment, so their number is bounded and their readers
// learn no names.
package telemetry
