// Package upgrade says whether the server in an image can open the data files that a running server has written. It
// knows MongoDB's versions and is pure: the caller has read the server's version and the version of its data files. It
// imports the root. Start at [Judge].
package upgrade
