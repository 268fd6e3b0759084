// Package steptest holds what every kind of step must pass, and an account in memory to pass it on. Only tests
// import it. Start reading at [Run]; [Account] is shaped as Kubernetes is, with workloads that are ready at once.
package steptest
