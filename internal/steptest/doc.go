// Package steptest holds what every kind of step must pass, and an account in memory to pass it on. Only tests import
// it. Start reading at [Run]; [Account] behaves like Kubernetes, with workloads that are ready at once.
package steptest
