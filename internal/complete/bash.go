package complete

import (
	"fmt"
	"strings"
)

const bashHead = `# Completion of %[1]s for bash. Generated from its commands; do not edit.
# shellcheck shell=bash

_%[1]s() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} at="" words="" i
	# --flag=value is three words to bash.
	if [[ $cur == = ]]; then
		cur=""
	elif [[ $prev == = ]] && ((COMP_CWORD > 1)); then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		case "$at ${COMP_WORDS[i]}" in
`

const bashMiddle = `		esac
	done
	case "$at $prev" in
`

const bashTail = `	*) return ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _%[1]s %[1]s
`

// bash returns a function that finds the command of the line, then what may come next.
func bash(name string, commands []command) string {
	var text strings.Builder
	fmt.Fprintf(&text, bashHead, name)
	fmt.Fprintf(&text, "\t\t%s) at+=\" ${COMP_WORDS[i]}\" ;;\n", strings.Join(known(commands), " | "))
	// A value is no command, even if it is called like one.
	text.WriteString("\t\t" + valued(commands) + ") ((i++)) ;;\n")
	text.WriteString(bashMiddle)
	for _, c := range commands {
		for _, flag := range c.flags {
			if flag.IsBool() {
				continue
			}
			kind, words := valueOf(flag.Value, flag.PlaceHolder)
			fmt.Fprintf(&text, "\t%s)\n\t\t%s\n\t\treturn\n\t\t;;\n", at(c, spellings(flag)), bashValue(kind, words))
		}
	}
	text.WriteString("\tesac\n\tcase $at in\n")
	for _, c := range commands {
		fmt.Fprintf(&text, "\t%s)\n%s\t\t;;\n", quoted(before(c)), bashCommand(c))
	}
	fmt.Fprintf(&text, bashTail, name)
	return text.String()
}

// known are the patterns of all commands.
func known(commands []command) []string {
	var all []string
	for _, c := range commands[1:] {
		all = append(all, quoted(" "+c.path()))
	}
	return all
}

// bashCommand is what may come where a command stands and no flag waits for its value.
func bashCommand(c command) string {
	var flags, subs []string
	for _, flag := range c.flags {
		flags = append(flags, spellings(flag)...)
	}
	for _, sub := range c.subs {
		subs = append(subs, sub.Name)
	}
	next := "words=" + quoted(strings.Join(subs, " "))
	for _, arg := range c.args {
		switch kind, words := valueOf(arg, ""); kind {
		case oneOf:
			next = "words=" + quoted(strings.Join(words, " "))
		case file, directory:
			next = bashValue(kind, words) + "\n\t\treturn"
		case anything:
		}
	}
	return fmt.Sprintf("\t\tif [[ $cur == -* ]]; then\n\t\t\twords=%s\n\t\telse\n\t\t\t%s\n\t\tfi\n",
		quoted(strings.Join(flags, " ")), strings.ReplaceAll(next, "\n\t\t", "\n\t\t\t"))
}

func bashValue(kind kind, words []string) string {
	switch kind {
	case oneOf:
		return `mapfile -t COMPREPLY < <(compgen -W ` + quoted(strings.Join(words, " ")) + ` -- "$cur")`
	case file:
		return "compopt -o filenames\n\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")"
	case directory:
		return "compopt -o filenames\n\t\tmapfile -t COMPREPLY < <(compgen -d -- \"$cur\")"
	default:
		return "COMPREPLY=()"
	}
}

// before is what stands before the next word of c.
func before(c command) string {
	if len(c.words) == 0 {
		return ""
	}
	return " " + c.path()
}

// at are the patterns of flags at c.
func at(c command, flags []string) string {
	var all []string
	for _, flag := range flags {
		all = append(all, quoted(before(c)+" "+flag))
	}
	return strings.Join(all, " | ")
}

// valued are the patterns of all flags that take a value.
func valued(commands []command) string {
	var all []string
	for _, c := range commands {
		for _, flag := range c.flags {
			if !flag.IsBool() {
				all = append(all, at(c, spellings(flag)))
			}
		}
	}
	return strings.Join(all, " | ")
}
