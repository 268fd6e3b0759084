// Package login proves to servers who a person at a terminal or a program is: with a token from the environment, a
// login that is kept in a file, or a token of the CI system. It imports the root, internal/access, internal/regular
// and internal/outbound. Start at [Credentials].
package login
