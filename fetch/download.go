package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"ream/fault"
)

// download is one Get under way: what its attempts have brought so far.
type download struct {
	s    *Source
	u    *url.URL
	name string // the URL as it may be shown
	req  Request
	sink Sink
	hash hash.Hash // nil if the sink hashes

	got       int64  // bytes in the sink
	validator string // by which the next attempt may go on after them; empty if it may not
	sinkErr   error  // the error that a write of the sink ended with
	encoded   bool   // upstream says that the bytes are not the file itself
	lied      bool   // the bytes were not those asked for, once
	clock     *clock // of the attempts
	rest      rest   // of this file alone
	stall     time.Duration

	host      *host // that the present attempt's bytes come from; nil for files
	receiving bool  // whether its bytes come
}

func newDownload(s *Source, u *url.URL, req Request, sink Sink) *download {
	d := &download{s: s, u: u, name: shown(u), req: req, sink: sink, clock: newClock(s.settings.Total),
		rest: rest{until: req.NotBefore, why: "it failed"}, stall: s.stall}
	if req.Stall > 0 {
		d.stall = min(d.stall, req.Stall)
	}
	if _, ok := sink.(interface{ SHA256() string }); !ok {
		d.hash = sha256.New()
	}
	return d
}

// passingError is a failure that may pass.
type passingError struct {
	reason string
	after  time.Duration // that upstream asked us to wait; 0 if it did not
	ofAll  bool          // it asked for that whatever the file
	err    error         // the cause, free of secrets; may be nil
	lie    *fault.Error  // what to say in the end if the bytes are not those asked for
}

func (e *passingError) Error() string { return e.reason }

// lie is that the bytes are not those asked for.
func (d *download) lie(format string, args ...any) error {
	reason := fmt.Sprintf(format, args...)
	if d.encoded {
		reason += "; it comes with a Content-Encoding although none was asked for"
	}
	return &passingError{reason: reason, lie: fault.New(fault.BadInput, "%s: %s", d.name, reason)}
}

// attempt goes on with the download where it stands, once the source may have
// one more, before the observer's eyes. It returns a *passingError for what may
// pass.
func (d *download) attempt(ctx context.Context) error {
	if err := d.enter(ctx); err != nil {
		return err
	}
	defer d.s.slots.Release(1)
	observed, ended := d.s.c.config.Observe(ctx, d.name)
	err := d.try(observed)
	ended(outcome(ctx, err))
	if passing, ok := errors.AsType[*passingError](err); ok && passing.after > 0 { // before another download gets the connection
		d.restOf(passing).extend(d.s.c.config.Now().Add(passing.after), passing.reason)
	}
	return err
}

func (d *download) try(ctx context.Context) error {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	d.clock.begin(giveUp)
	defer d.clock.end()
	w := &watch{after: d.stall, giveUp: giveUp}
	d.receiving = false
	body, total, err := d.open(ctx, w)
	if err != nil {
		return err
	}
	defer body.Close()
	if total >= 0 {
		if err := d.checkSize(total); err != nil {
			return err
		}
	}
	d.receiving = true
	return d.receive(ctx, d.paced(ctx, &watchedReader{from: body, watch: w, stopped: ctx.Err}, giveUp), total)
}

// outcome is how an attempt ended, for those who count.
func outcome(ctx context.Context, err error) string {
	passing, ok := errors.AsType[*passingError](err)
	switch {
	case err == nil:
		return "OK"
	case ctx.Err() != nil:
		return "CANCELED"
	case ok && passing.lie != nil:
		return string(passing.lie.Kind)
	case ok:
		return string(fault.Unavailable)
	}
	return string(fault.KindOf(err))
}

// open begins to read what is still missing; total is the size of the whole,
// -1 if upstream does not tell it.
func (d *download) open(ctx context.Context, w *watch) (body io.ReadCloser, total int64, err error) {
	if d.u.Scheme == "file" {
		return d.openFile()
	}
	return d.openHTTP(ctx, w)
}

// paced keeps a body to the limits of the source and of its host. What they make
// it wait is not the upstream's time.
func (d *download) paced(ctx context.Context, body io.Reader, giveUp context.CancelCauseFunc) io.Reader {
	var ofHost *rate.Limiter
	if d.host != nil {
		ofHost = d.host.rate
	}
	return newPacedReader(body, func(pause time.Duration) error {
		d.clock.end()
		defer d.clock.begin(giveUp)
		return wait(ctx, pause)
	}, d.s.rate, ofHost)
}

// receive copies the body, no further than to see that it is too long.
func (d *download) receive(ctx context.Context, body io.Reader, total int64) error {
	if limit := d.limit(); limit >= 0 {
		body = io.LimitReader(body, limit+1-d.got)
	}
	err := d.copy(body)
	switch {
	case d.sinkErr != nil:
		return d.sinkErr
	case err != nil:
		return d.broken(ctx, err)
	case total >= 0 && d.got < total && (d.limit() < 0 || d.got <= d.limit()):
		return &passingError{reason: fmt.Sprintf("it ended after %d of %d bytes", d.got, total)}
	}
	if err := d.checkSize(d.got); err != nil {
		return err
	}
	if sum := d.digest(); d.digestTells() && !strings.EqualFold(sum, d.req.SHA256) {
		return d.lie("its SHA-256 is %s, but the metadata says %s", sum, d.req.SHA256)
	}
	return nil
}

// copy copies the body to the sink, through a buffer or right to where the sink
// wants it.
func (d *download) copy(body io.Reader) error {
	piece := &short
	if d.req.want() > shortPiece {
		piece = &long
	}
	buffer := piece.Get().(*[]byte)
	defer piece.Put(buffer)
	sink, direct := d.sink.(interface{ AvailableBuffer() []byte })
	for {
		room := *buffer
		if direct && d.hash == nil {
			if own := sink.AvailableBuffer(); cap(own) > 0 {
				room = own[:min(cap(own), longPiece)]
			}
		}
		n, err := body.Read(room)
		if n > 0 {
			if err := d.write(room[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// What is received at once, of small files and of others: larger pieces of those
// take fewer system calls, and still fit in a processor's own cache.
const (
	shortPiece = 16 << 10
	longPiece  = 256 << 10
)

var (
	short = sync.Pool{New: func() any { return new(make([]byte, shortPiece)) }}
	long  = sync.Pool{New: func() any { return new(make([]byte, longPiece)) }}
)

// limit is how many bytes may come; -1 for any number.
func (d *download) limit() int64 {
	switch size, most := d.req.want(), d.req.MaxBytes; {
	case most > 0 && (size < 0 || most < size):
		return most
	case size >= 0:
		return size
	}
	return -1
}

// checkSize compares a size, which may be cut off at one byte too many.
func (d *download) checkSize(n int64) error {
	switch size := d.req.want(); {
	case d.req.MaxBytes > 0 && n > d.req.MaxBytes:
		return fault.New(fault.BadInput, "%s: it has more than %d bytes", d.name, d.req.MaxBytes)
	case size >= 0 && n > size:
		return d.lie("it has more than the %d bytes that the metadata says", size)
	case size >= 0 && n != size:
		return d.lie("it has %d bytes, but the metadata says %d", n, size)
	}
	return nil
}

// restart drops what came so far.
func (d *download) restart() error {
	d.validator = ""
	if d.got == 0 {
		return nil
	}
	d.got = 0
	if d.hash != nil {
		d.hash.Reset()
	}
	return d.sink.Reset()
}

func (d *download) digest() string {
	if d.hash == nil {
		return d.sink.(interface{ SHA256() string }).SHA256()
	}
	return hex.EncodeToString(d.hash.Sum(nil))
}

func (d *download) result() Result { return Result{Size: d.got, SHA256: d.digest()} }

// write counts and hashes what goes to the sink, and tells errors of the sink
// from those of the network.
func (d *download) write(p []byte) error {
	n, err := d.sink.Write(p)
	if d.hash != nil {
		d.hash.Write(p[:n])
	}
	d.got += int64(n)
	d.s.c.received.Add(int64(n))
	d.sinkErr = err
	return err
}
