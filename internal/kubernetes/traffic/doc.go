// Package traffic computes what an object that divides traffic looks like at a percentage, and what it looked like
// before: the selectors of Services, the weights of routes, the subsets of destination rules. It contacts no cluster.
// Start at [Pin] and [Shape].
//
// [Annotation] on the object itself records what it was before, so that any process can put it back. Every computation
// first puts the object back. So dividing twice is dividing once, and changes by others are kept.
package traffic
