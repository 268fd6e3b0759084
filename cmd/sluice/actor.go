package main

import (
	"os/user"

	"github.com/sluice-cd/sluice"
)

// actor is who types here.
func actor(roles ...string) sluice.Actor {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return sluice.Actor{Name: name, Roles: roles, Via: "cli"}
}
