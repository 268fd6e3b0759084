// Package databasetest holds what tests and measurements need of databases: a real server built from the examples
// ([StartServer]), the suite that every [sluice.Databases] passes ([Suite]), and the measurement of a verification
// ([MeasureVerification]). Nothing that ships imports it.
package databasetest
