// Package service holds the use cases: functions over contracts that the command line and a server call alike. The
// actor and the actor's consent are parameters; questions to a person are results. It knows no flags, no terminal and
// no adapter. Start at [Compile] and [Submit].
package service
