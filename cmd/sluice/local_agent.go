package main

import "github.com/spf13/cobra"

func newLocalDown(a *app) *cobra.Command  { return &cobra.Command{Use: "down"} }
func newLocalAgent(a *app) *cobra.Command { return &cobra.Command{Use: "agent", Hidden: true} }
