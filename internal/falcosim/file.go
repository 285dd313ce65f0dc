package falcosim

import (
	"bytes"
	"os"
)

// FileOutput appends alerts to a file as Falco's file_output does: one a line. It is for one
// goroutine.
type FileOutput struct {
	Path string
	// KeepAlive is file_output.keep_alive: the file stays open until Reopen. Without it, Falco's
	// default, the file is opened for every alert.
	KeepAlive bool

	file *os.File
}

// Write appends one alert, with the newline that it may lack.
func (o *FileOutput) Write(line []byte) error {
	if o.file == nil {
		f, err := os.OpenFile(o.Path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		o.file = f
	}
	_, err := o.file.Write(append(bytes.TrimRight(line, "\n"), '\n'))
	if o.KeepAlive && err == nil {
		return nil
	}
	if closed := o.Reopen(); err == nil {
		err = closed
	}
	return err
}

// Reopen closes the file, so that the next alert goes to a new one of the same name: SIGUSR1,
// which logrotate sends.
func (o *FileOutput) Reopen() error {
	if o.file == nil {
		return nil
	}
	err := o.file.Close()
	o.file = nil
	return err
}
