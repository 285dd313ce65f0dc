// Package complete writes what a shell needs to complete the program's commands, flags and their values,
// from the model of the command line. The shell then asks nobody: completion works while the daemon is
// busy, and for a program that is another version than the one in PATH.
//
// Rejected: kongplete and kong-completion, whose last releases are of 2023 and 2022: both run the program
// at each press of Tab, by a library of 2019.
package complete

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Shells are the shells that Script knows.
func Shells() []string { return []string{"bash", "zsh", "fish"} }

// Script returns what a shell has to read to complete app.
func Script(app *kong.Application, shell string) (string, error) {
	commands := collect(app.Node, nil)
	switch shell {
	case "bash":
		return bash(app.Name, commands), nil
	case "zsh":
		return zsh(app.Name, commands), nil
	case "fish":
		return fish(app.Name, commands), nil
	default:
		return "", fmt.Errorf("no completion for the shell %q; there is one for %s", shell, strings.Join(Shells(), ", "))
	}
}

// A command is one at which a line may stand: the program itself, or what its words name.
type command struct {
	words []string // none: the program itself
	subs  []*kong.Node
	flags []*kong.Flag
	args  []*kong.Positional
}

func (c command) path() string { return strings.Join(c.words, " ") }

// collect returns node and all below.
func collect(node *kong.Node, words []string) []command {
	c := command{words: words, args: node.Positional}
	for _, group := range node.AllFlags(true) {
		c.flags = append(c.flags, group...)
	}
	all := []command{}
	for _, sub := range node.Children {
		if sub.Hidden {
			continue
		}
		c.subs = append(c.subs, sub)
		all = append(all, collect(sub, append(slices.Clone(words), sub.Name))...)
	}
	if node.DefaultCmd != nil && len(words) > 0 { // its flags stand here too
		c.flags = append(c.flags, node.DefaultCmd.Flags...)
	}
	return append([]command{c}, all...)
}

// spellings of a flag.
func spellings(flag *kong.Flag) []string {
	all := []string{"--" + flag.Name}
	if flag.Short != 0 {
		all = append([]string{"-" + string(flag.Short)}, all...)
	}
	return all
}

// A kind is what a value is.
type kind int

const (
	anything kind = iota
	oneOf         // of the words that come with it
	file
	directory
)

// valueOf says what a value may be. The tag `complete` names words where the tag `enum` can not.
func valueOf(v *kong.Value, placeholder string) (kind, []string) {
	switch words := v.Tag.Get("complete"); {
	case v.Enum != "":
		return oneOf, v.EnumSlice()
	case words != "":
		return oneOf, strings.Split(words, ",")
	case placeholder == "FILE" || placeholder == "PATH" || v.Flag == nil && v.Name == "files":
		return file, nil
	case placeholder == "DIR":
		return directory, nil
	default:
		return anything, nil
	}
}

// brief is the beginning of a help text: one line, for a menu.
func brief(help string) string {
	text, _, _ := strings.Cut(strings.Join(strings.Fields(help), " "), ". ")
	return strings.TrimSuffix(text, ".")
}

// quoted is text as one word of a shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
