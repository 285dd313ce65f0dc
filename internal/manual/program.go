package manual

import "github.com/alecthomas/kong"

// Program returns filelessd(1).
func Program(app *kong.Application) string {
	p := New("filelessd", 1, "User Commands")
	p.Section("NAME")
	p.Text("filelessd - reports on fileless execution from Falco's alerts")
	p.Section("SYNOPSIS")
	p.line(".B filelessd")
	p.line(`\fICOMMAND\fR [\fIOPTION\fR]...`)
	p.Section("DESCRIPTION")
	p.Text(app.Help + " It runs next to Falco, keeps every report in a log on disk, and delivers it also when the " +
		"receiver is down or the daemon is killed.")
	p.Paragraph("Commands that ask or change a running daemon reach it through the socket control.sock in its data_dir, " +
		"which only the daemon's user and root can use: of the packaged service, that is")
	p.Literal("sudo -u filelessd filelessd status")
	p.Section("COMMANDS")
	p.Text("Every command takes --help.")
	p.Commands(app.Node)
	p.Section("EXIT STATUS")
	for _, s := range []struct{ code, text string }{
		{"0", "Done."},
		{"1", "Something failed while running."},
		{"2", "Wrong usage or configuration."},
		{"3", "Done, but some input was bad."},
	} {
		p.Item(s.code, s.text)
	}
	p.Section("SIGNALS")
	p.Text("What filelessd run does at a signal.")
	p.Item("SIGHUP", "It reads its configuration again, as filelessd reload has it do. What came of it is in its log.")
	p.Item("SIGTERM, SIGINT", "It takes no more alerts, delivers for up to drain_timeout, and ends. What is left is delivered after the next start.")
	p.Section("ENVIRONMENT")
	p.Text("A configuration takes the value of a variable with ${NAME}, see filelessd-config(5).")
	p.Item("NO_COLOR, CLICOLOR, TERM, COLUMNS", "How analyze shows reports on a terminal.")
	p.Section("FILES")
	for _, f := range []struct{ path, text string }{
		{"/etc/filelessd/config.yaml", "The configuration, see filelessd-config(5)."},
		{"/var/lib/filelessd", "The log of reports and the control socket (data_dir)."},
		{"/var/log/filelessd", "Where the packaged configuration writes reports."},
	} {
		p.Item(f.path, f.text)
	}
	p.Section("SEE ALSO")
	p.See("filelessd-config", 5)
	p.See("systemctl", 1)
	p.See("journalctl", 1)
	p.Paragraph("https://github.com/filelessd/filelessd")
	return p.String()
}
