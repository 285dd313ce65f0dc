package source

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"golang.org/x/sync/semaphore"
)

// Bodies are held in slots, from before they are read until their alerts are stored; together the
// slots are good for 16 MiB. Small bodies, which is what Falco sends, have slots of their own, so
// that they need not wait behind large ones, nor behind who announces a large one and sends little.
// The number of slots also bounds what bodies turn into, which can be a dozen times as much.
const (
	maxBody     = maxAlert // bytes, as sent and unpacked
	largeBodies = 12

	smallBody   = 16 << 10 // bytes, announced and not compressed
	smallBodies = 256
)

var (
	errTooLarge = errors.New("more than 1 MiB")
	errBusy     = errors.New("too many requests at the same time")
)

// A body is what a request carried, unpacked, and the slot that it is in. It has to be released.
type body struct {
	http *HTTP
	slot *semaphore.Weighted
	data []byte
}

// read reads the body of r until the deadline. Its error is errBusy, errTooLarge, or what broke.
//
// ctx is not that of the request: net/http ends that one, and those of all later requests on the
// connection, when the deadline for reading passes.
func (h *HTTP) read(ctx context.Context, w http.ResponseWriter, r *http.Request, deadline time.Time) (*body, error) {
	b := &body{http: h, slot: h.large}
	unpack := packed(r.Header.Get("Content-Encoding"))
	if !unpack && 0 <= r.ContentLength && r.ContentLength <= smallBody {
		b.slot = h.small
	}
	if !b.slot.TryAcquire(1) {
		ctx, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		if err := b.slot.Acquire(ctx, 1); err != nil {
			return nil, errBusy
		}
	}
	src := http.MaxBytesReader(w, r.Body, maxBody)
	var err error
	switch {
	case unpack:
		err = b.unpack(src)
	case r.ContentLength >= 0:
		err = b.fill(src, int(r.ContentLength))
	default:
		err = b.grow(src)
	}
	if err != nil {
		b.release()
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			err = errTooLarge
		}
		return nil, err
	}
	return b, nil
}

// fill reads n bytes.
func (b *body) fill(src io.Reader, n int) error {
	if n > smallBody {
		b.data = make([]byte, n)
	} else if buffer, ok := b.http.buffers.Get().(*[]byte); ok {
		b.data = (*buffer)[:n]
	} else {
		b.data = make([]byte, n, smallBody)
	}
	_, err := io.ReadFull(src, b.data)
	return err
}

// grow reads to the end.
func (b *body) grow(src io.Reader) error {
	b.data = make([]byte, 0, 4*smallBody)
	for {
		n, err := src.Read(b.data[len(b.data):cap(b.data)])
		b.data = b.data[:len(b.data)+n]
		switch {
		case len(b.data) > maxBody:
			return errTooLarge
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case len(b.data) == cap(b.data):
			b.data = append(make([]byte, 0, min(2*cap(b.data), maxBody+1)), b.data...)
		}
	}
}

func (b *body) unpack(src io.Reader) error {
	unpacker, ok := b.http.gzips.Get().(*gzip.Reader)
	if !ok {
		unpacker = new(gzip.Reader)
	}
	defer b.http.gzips.Put(unpacker)
	if err := unpacker.Reset(src); err != nil {
		return err
	}
	return b.grow(unpacker)
}

// drop gives the buffer back, once nobody needs the data any more.
func (b *body) drop() {
	if data := b.data; cap(data) == smallBody {
		b.http.buffers.Put(&data)
	}
	b.data = nil
}

func (b *body) release() {
	b.drop()
	b.slot.Release(1)
}
