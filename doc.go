// Package sluice holds the nouns and contracts of Sluice, a continuous-delivery system for applications whose
// data matters. It imports the standard library only and does nothing by itself.
//
// Start reading at [Spec] (a deploy file), then [Plan] (what it compiles to), [Step] (how a plan's nodes behave),
// [Event] and [Log] (the only truth about a deployment), [Account] (where objects go) and [Mover] and [Database]
// (what happens to data). ARCHITECTURE.md draws the packages that implement these.
package sluice
