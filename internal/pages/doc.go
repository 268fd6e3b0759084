// Package pages shows deployments to people: the web pages of a server. Each page has an address that stays, an
// equivalent in JSON (Accept: application/json) and a stream of changes (Accept: text/event-stream). The server renders
// everything; a small script replaces the parts of a page that have changed, and without it a reload does.
//
// Start with page.go: a page loads what it shows for one caller, and its parts are the fragments that the stream sends
// again. The overview is answered from an [Index], so that no page reads the whole log.
package pages
