package complete

import (
	"fmt"
	"strings"
)

const fishHead = `# Completion of %[1]s for fish. Generated from its commands; do not edit.

# The commands of the line are exactly these.
function __%[1]s_at
    set -l at
    set -l skip 0
    set -l words (commandline -opc)
    for word in $words[2..-1]
        if test $skip -eq 1
            set skip 0
            continue
        end
        switch "$at $word"
            case %[2]s
                set at "$at $word"
            case %[3]s
                set skip 1 # a value is no command, even if it is called like one
        end
    end
    test "$at" = "$argv[1]"
end

complete -c %[1]s -f
`

// fish returns a line for each word that may come, with the command that it may come after.
func fish(name string, commands []command) string {
	var text strings.Builder
	fmt.Fprintf(&text, fishHead, name, strings.Join(known(commands), " "), strings.ReplaceAll(valued(commands), " | ", " "))
	for _, c := range commands {
		here := fmt.Sprintf("complete -c %s -n %s", name, fishQuoted("__"+name+"_at "+fishQuoted(before(c))))
		for _, sub := range c.subs {
			fmt.Fprintf(&text, "%s -a %s -d %s\n", here, sub.Name, fishQuoted(brief(sub.Help)))
		}
		for _, arg := range c.args {
			switch kind, words := valueOf(arg, ""); kind {
			case oneOf:
				fmt.Fprintf(&text, "%s -a %s\n", here, fishQuoted(strings.Join(words, " ")))
			case file, directory:
				fmt.Fprintf(&text, "%s -F\n", here)
			case anything:
			}
		}
		for _, flag := range c.flags {
			line := here
			if flag.Short != 0 {
				line += " -s " + string(flag.Short)
			}
			line += " -l " + flag.Name
			if !flag.IsBool() {
				kind, words := valueOf(flag.Value, flag.PlaceHolder)
				line += fishValue(kind, words)
			}
			fmt.Fprintf(&text, "%s -d %s\n", line, fishQuoted(brief(flag.Help)))
		}
	}
	return text.String()
}

func fishValue(kind kind, words []string) string {
	switch kind {
	case oneOf:
		return " -x -a " + fishQuoted(strings.Join(words, " "))
	case file:
		return " -r -F"
	case directory:
		return " -x -a '(__fish_complete_directories)'"
	default:
		return " -x"
	}
}

// fishQuoted is text as one word of fish, in which a backslash escapes in single quotes too.
func fishQuoted(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}
