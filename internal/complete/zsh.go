package complete

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// zsh returns a function for each command, which _arguments of zsh does the work for.
func zsh(name string, commands []command) string {
	var text strings.Builder
	fmt.Fprintf(&text, "#compdef %s\n# Completion of %s for zsh. Generated from its commands; do not edit.\n", name, name)
	for _, c := range commands {
		fmt.Fprintf(&text, "\n%s() {\n\tlocal curcontext=$curcontext state line\n\ttypeset -A opt_args\n\t_arguments -s -C", zshName(name, c))
		for _, flag := range c.flags {
			text.WriteString(" \\\n\t\t" + zshFlag(flag))
		}
		for i, arg := range c.args {
			position := fmt.Sprint(i + 1)
			if arg.IsCumulative() {
				position = "*"
			}
			kind, words := valueOf(arg, "")
			text.WriteString(" \\\n\t\t" + quoted(position+":"+arg.Name+":"+zshValue(kind, words)))
		}
		if len(c.subs) == 0 {
			text.WriteString("\n}\n")
			continue
		}
		text.WriteString(" \\\n\t\t'1: :->command' \\\n\t\t'*:: :->next'\n\tcase $state in\n\tcommand)\n\t\tlocal -a commands=(")
		for _, sub := range c.subs {
			text.WriteString("\n\t\t\t" + quoted(sub.Name+":"+brief(sub.Help)))
		}
		text.WriteString("\n\t\t)\n\t\t_describe command commands\n\t\t;;\n\tnext)\n\t\tcase $line[1] in\n")
		for _, sub := range c.subs {
			fmt.Fprintf(&text, "\t\t%s) %s_%s ;;\n", sub.Name, zshName(name, c), sub.Name)
		}
		text.WriteString("\t\tesac\n\t\t;;\n\tesac\n}\n")
	}
	// Read by the completion system the file is the function's body; read by `source` it makes it known.
	fmt.Fprintf(&text, "\nif [[ $funcstack[1] == _%s ]]; then\n\t_%s \"$@\"\nelse\n\tcompdef _%s %s\nfi\n", name, name, name, name)
	return text.String()
}

func zshName(name string, c command) string {
	return "_" + strings.Join(append([]string{name}, c.words...), "_")
}

// zshFlag is a flag as _arguments takes it.
func zshFlag(flag *kong.Flag) string {
	help := strings.NewReplacer("[", `\[`, "]", `\]`, ":", `\:`).Replace(brief(flag.Help))
	kind, words := valueOf(flag.Value, flag.PlaceHolder)
	value := ":" + strings.ToLower(flag.Name) + ":" + zshValue(kind, words)
	again := ""
	if flag.IsBool() {
		value = ""
	}
	if flag.IsCumulative() {
		again = "*"
	}
	all := spellings(flag)
	if len(all) == 1 {
		if value != "" {
			value = "=[" + help + "]" + value
		} else {
			value = "[" + help + "]"
		}
		return quoted(again + all[0] + value)
	}
	short, long := all[0], all[1]
	if value != "" {
		short, long = short+"+", long+"="
	}
	return quoted("("+strings.Join(all, " ")+")") + "{" + short + "," + long + "}" + quoted("["+help+"]"+value)
}

func zshValue(kind kind, words []string) string {
	switch kind {
	case oneOf:
		return "(" + strings.Join(words, " ") + ")"
	case file:
		return "_files"
	case directory:
		return "_files -/"
	default: // a message instead would keep zsh from completing a flag there
		return "()"
	}
}
