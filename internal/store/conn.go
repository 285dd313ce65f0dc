package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net/url"
	"strconv"
	"time"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// conn is one connection to the database. One goroutine at a time may use it.
//
// It speaks to the driver without database/sql, and always with a context that never ends: for one
// that can end, the driver starts a goroutine at every call. Each statement here is short.
type conn struct {
	c    driver.Conn
	kept []*stmt
}

func connect(path string, pragmas ...string) (*conn, error) {
	query := url.Values{"_pragma": pragmas, "_error_rc": {"1"}}
	u := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	connector, err := sqlite.NewConnector(u.String())
	if err != nil {
		return nil, err
	}
	c, err := connector.Connect(context.Background())
	if err != nil {
		return nil, err
	}
	return &conn{c: c}, nil
}

// busyTimeout has the connection wait so long for another one's lock.
func busyTimeout(d time.Duration) string {
	return "busy_timeout(" + strconv.FormatInt(d.Milliseconds(), 10) + ")"
}

// Close closes the statements too: SQLite would keep the file open for one that was left.
func (c *conn) Close() error {
	var errs []error
	for _, s := range c.kept {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.c.Close())...)
}

// exec runs one or several statements.
func (c *conn) exec(sql string) error {
	s, err := c.prepare(sql)
	if err != nil {
		return err
	}
	_, err = s.exec()
	return errors.Join(err, s.Close())
}

// integer returns the one number that sql selects.
func (c *conn) integer(sql string) (int64, error) { return one[int64](c, sql) }

// text returns the one text that sql selects.
func (c *conn) text(sql string) (string, error) { return one[string](c, sql) }

// texts returns what sql selects, one text a row. It ends with ctx.
func (c *conn) texts(ctx context.Context, sql string) (list []string, err error) {
	s, err := c.prepare(sql)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	err = s.eachUntil(ctx, func(row []driver.Value) error {
		text, _ := row[0].(string)
		list = append(list, text)
		return nil
	})
	return list, err
}

func one[T int64 | string](c *conn, sql string) (v T, err error) {
	s, err := c.prepare(sql)
	if err != nil {
		return v, err
	}
	err = s.each(func(row []driver.Value) error {
		v, _ = row[0].(T)
		return errStop
	})
	return v, errors.Join(err, s.Close())
}

// stmt is a compiled statement.
type stmt struct {
	s    driver.Stmt
	args []driver.NamedValue
	row  []driver.Value
}

func (c *conn) prepare(sql string) (*stmt, error) {
	s, err := c.c.(driver.ConnPrepareContext).PrepareContext(context.Background(), sql)
	if err != nil {
		return nil, err
	}
	return &stmt{s: s}, nil
}

// keep compiles statements that the connection closes when it is closed.
func (c *conn) keep(list map[**stmt]string) error {
	for s, sql := range list {
		var err error
		if *s, err = c.prepare(sql); err != nil {
			return err
		}
		c.kept = append(c.kept, *s)
	}
	return nil
}

func (s *stmt) Close() error { return s.s.Close() }

func (s *stmt) bind(args []any) []driver.NamedValue {
	s.args = s.args[:0]
	for i, a := range args {
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return s.args
}

// exec runs the statement and returns how many rows it changed. An argument is an int64, a string
// or a []byte.
func (s *stmt) exec(args ...any) (int64, error) {
	res, err := s.s.(driver.StmtExecContext).ExecContext(context.Background(), s.bind(args))
	clear(s.args)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// errStop ends each without an error.
var errStop = errors.New("stop")

// each calls f with every row. The row is only valid during the call, its blobs and texts stay.
func (s *stmt) each(f func(row []driver.Value) error, args ...any) (err error) {
	return s.eachUntil(context.Background(), f, args...)
}

// eachUntil ends with ctx, which costs a goroutine.
func (s *stmt) eachUntil(ctx context.Context, f func(row []driver.Value) error, args ...any) (err error) {
	rows, err := s.s.(driver.StmtQueryContext).QueryContext(ctx, s.bind(args))
	clear(s.args)
	if err != nil {
		return err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	if s.row == nil {
		s.row = make([]driver.Value, len(rows.Columns()))
	}
	defer clear(s.row)
	for {
		switch err := rows.Next(s.row); {
		case err == io.EOF: //nolint:errorlint // the contract of driver.Rows
			return nil
		case err != nil:
			return err
		}
		if err := f(s.row); errors.Is(err, errStop) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// integer returns the number in the first column of the first row, or 0.
func (s *stmt) integer(args ...any) (n int64, err error) {
	err = s.each(func(row []driver.Value) error {
		n, _ = row[0].(int64)
		return errStop
	}, args...)
	return n, err
}

// code returns SQLite's primary result code of err, or 0.
func code(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

// isCorrupt reports whether the file holds what no database would.
func isCorrupt(err error) bool {
	c := code(err)
	return c == lib.SQLITE_CORRUPT || c == lib.SQLITE_NOTADB
}
