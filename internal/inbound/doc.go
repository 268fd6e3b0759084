// Package inbound answers what others call while a deployment runs: [Callbacks] receives what webhooks answer, and
// [Previews] shows Services of a cluster. Both know their callers by secrets in their URLs. It imports the root and
// internal/engine.
//
// Start at callback.go.
package inbound
