// Package convert makes a configuration of filelessd from one of Falcosidekick.
//
// The two programs do not do the same. Falcosidekick hands every alert of Falco to all of its outputs as it is;
// filelessd reports fileless execution only, and what it sends is an analysis. So there is no translation that
// nobody has to look at, and the notes are as much of the result as the configuration: each key of the input
// that says something is in the new configuration, or in a note with its line and the reason.
//
// What each output becomes:
//
//   - A sink of filelessd, if there is one that does what the output's keys ask for.
//   - Else it stays with a Falcosidekick, which gets the reports from one sink of type falcosidekick. That is so for
//     outputs that filelessd has no sink for, and for those with a setting that the sink can not honour: a PUT, a
//     header, a login. A sink that does something else than what was asked for was rejected, except where the
//     difference can not break more than the reader of the notes can mend (a list of Redis is then a stream).
//   - Nothing, for those that count alerts: they count what Falcosidekick gets.
//
// Each sink is held against the rules of the configuration before it is taken, so that the result always passes
// `filelessd check`. A value that breaks them is a value that Falcosidekick can not use either, mostly.
//
// No secret of the input is in the configuration or in a note. A value that is one, or that may hold one, becomes
// ${NAME} with the name that the same key has in Falcosidekick's environment, so that the environment of a
// Falcosidekick (its Helm chart puts all into one Secret) does for filelessd too. Copying secrets was rejected: the
// result goes to a terminal, into a pipe, into a ConfigMap.
//
// Falcosidekick's names, defaults and rules are those of its source in August 2026 (2.32 and later): config.go,
// types/types.go, main.go and outputs/.
package convert
