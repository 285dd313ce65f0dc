// Package playbook adds to a report what to do: actions for the next minutes, in the order decide,
// preserve, contain, scope, recover; and mitigations for the days after, with the files that they
// take.
//
// All of it is a function of the compact report, so the log holds none of it and a reader of an old
// record gets the advice of the program that reads it.
//
// Values of an alert were chosen by an attacker, and advice is the place where a value would be run.
// So a command or a file holds a value only in one of two ways: in its strict form (target), which
// has no character that any shell, YAML or rule grammar reads; or, where only the text itself will
// do (what to search for), quoted for the shell by shellQuote. What is not known stands as a
// placeholder that makes the command stop and say so, never as a guess.
package playbook
