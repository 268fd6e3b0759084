// Package access decides who may do what on a server: roles grant verbs on applications, targets and places. It is
// pure; who a caller is was proven before.
package access
