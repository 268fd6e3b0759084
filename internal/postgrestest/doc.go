// Package postgrestest runs a PostgreSQL of its own for the tests of a package: one cluster for each test binary, in a
// temporary directory, and a database for each test. Where no PostgreSQL is installed the tests are skipped.
//
// Only tests import it. Start reading at [Main] and [Database].
package postgrestest
