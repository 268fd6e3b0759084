// Package archtest keeps the rules of CONTRIBUTING.md: they are tests over the source tree. It holds no code
// of its own.
package archtest
