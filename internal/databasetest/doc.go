// Package databasetest provides databases for tests and measurements: a real server built from the examples
// ([Start]), the suite that every [sluice.Databases] passes ([Suite]), and the measurement of a verification
// ([MeasureVerification]). Nothing that ships imports it.
package databasetest
