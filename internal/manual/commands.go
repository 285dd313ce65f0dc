package manual

import (
	"strings"

	"github.com/alecthomas/kong"
)

// Commands adds the section of the commands below node, with their flags.
func (p *Page) Commands(node *kong.Node) {
	for _, command := range node.Leaves(true) {
		p.Subsection(command.FullPath() + arguments(command))
		p.Text(command.Help)
		if command.Parent != node && command.Parent.DefaultCmd == command {
			p.Text("It is what " + command.Parent.FullPath() + " does by itself.")
		}
		for _, arg := range command.Positional {
			p.Item("<"+arg.Name+">", arg.Help)
		}
		for _, flag := range command.Flags {
			if !flag.Hidden {
				p.Item(term(flag), said(flag))
			}
		}
	}
}

func arguments(command *kong.Node) string {
	var text strings.Builder
	for _, flag := range command.Flags {
		if flag.Required {
			text.WriteString(" --" + flag.Name + "=" + place(flag))
		}
	}
	text.WriteString(" [OPTION]...")
	for _, arg := range command.Positional {
		name := strings.ToUpper(arg.Name)
		if arg.IsCumulative() {
			name += "..."
		}
		if !arg.Required {
			name = "[" + name + "]"
		}
		text.WriteString(" " + name)
	}
	return text.String()
}

// term is how a flag is written.
func term(flag *kong.Flag) string {
	text := "--" + flag.Name
	if flag.Short != 0 {
		text = "-" + string(flag.Short) + ", " + text
	}
	if !flag.IsBool() {
		text += " <" + place(flag) + ">"
	}
	return text
}

func place(flag *kong.Flag) string {
	if flag.PlaceHolder != "" {
		return flag.PlaceHolder
	}
	return strings.ToUpper(flag.Name)
}

func said(flag *kong.Flag) string {
	text := flag.Help
	if flag.HasDefault && flag.Default != "" && !strings.Contains(text, flag.Default+")") {
		text += " Default: " + flag.Default + "."
	}
	return text
}
