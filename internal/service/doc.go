// Package service holds the use cases: functions over contracts that the command line and a server call alike. Who acts
// and what that person agrees to are parameters; what a person has to be asked is returned. It knows no flags, no
// terminal and no adapter. Start at [Compile] and [Submit].
package service
