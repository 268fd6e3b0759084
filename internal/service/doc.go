// Package service has the use cases that both the command line and a server offer. They work over contracts; the actor
// and what the actor agrees to are parameters. It imports the root and packages of level 1. Start at [PlanRollback].
package service
