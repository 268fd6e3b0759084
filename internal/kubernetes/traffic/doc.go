// Package traffic computes what an object that divides traffic looks like at a percentage, and what it looked
// like before: the selectors of Services, the weights of routes, the subsets of destination rules. Nothing in it
// reaches for a cluster. It imports the root package only. Start at [Pin] and [Shape].
//
// What an object was before is kept on the object itself, in [Annotation], so that any process puts it back.
// Every computation begins with putting back: dividing twice is dividing once, and what others changed in between
// is kept.
package traffic
