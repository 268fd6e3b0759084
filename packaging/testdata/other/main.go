// Command other stands in for sluice of a platform that does not run here.
package main

func main() {}
