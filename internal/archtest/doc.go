// Package archtest tests the rules of CONTRIBUTING.md over the source tree. It holds no code of its own.
package archtest
