// Package proxy is the front of a Service: it listens on the Service's address and hands requests and
// connections to the pods behind it, divided between the stable and the canary track. It imports the standard
// library only.
//
// Start reading at [Balancer], which decides, and [Listen], which serves.
package proxy
