// Package step makes the steps of a plan. A step reaches the world only through the contracts in [Deps], so the same
// steps deliver to every kind of account.
//
// The steps are in three rooms, one file for each kind: gate holds steps that only decide, rollout those that change
// objects and traffic, and data those that copy, compare and replace data. What they share has packages of its own:
// deps (what steps act through), object (one object of an account), ready (to wait for objects), delivery (what belongs
// to a deployment), sibling (the other steps of the target), record, render and decision.
//
// All of them import the root and level-1 packages, never an adapter. Start reading at [New], then at gate/pause.go,
// the smallest step, and rollout/apply.go, the largest.
package step
