package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"strings"
	"syscall"

	"ream/fault"
)

// Why an attempt is given up.
var (
	errStalled = errors.New("no bytes arrived for too long")
	errTooLong = errors.New("it takes too long")
)

// broken turns a failure of the network, or why ctx ended an attempt, into
// what to do: a *passingError, or a fault for what does not pass.
func (d *download) broken(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errTooLong):
		return fault.Wrap(os.ErrDeadlineExceeded, fault.Unavailable, "%s: it takes longer than %v", d.name, d.s.settings.Total)
	case errors.Is(cause, errStalled):
		err = cause
	}
	// What upstream says may be in the error, and repeat what it was sent.
	cause := errors.New(d.s.scrub.Replace(err.Error()))
	if timeout, ok := errors.AsType[net.Error](err); errors.Is(err, errStalled) || ok && timeout.Timeout() {
		cause = fmt.Errorf("%w: %w", cause, os.ErrDeadlineExceeded)
	}
	if errors.Is(err, errPrivate) {
		return fault.Wrap(cause, fault.Forbidden, "%s: %v, and the operator does not allow it: see --private-upstreams", d.name, errPrivate)
	}
	if reason := lastingReason(err); reason != "" {
		return fault.Wrap(cause, fault.Unavailable, "%s: %s", d.name, reason)
	}
	return &passingError{reason: d.passingReason(err), err: cause}
}

// lastingReason says what is wrong that will be wrong again; nothing if it may
// pass.
func lastingReason(err error) string {
	if refused, ok := errors.AsType[*proxyRefusal](err); ok && refused.status/100 == 4 {
		if refused.status == http.StatusProxyAuthRequired {
			return "the proxy demands other credentials"
		}
		return refused.Error()
	}
	op, isOp := errors.AsType[*net.OpError](err)
	whose := "its"
	if isOp && isOfProxy(op) {
		whose = "the proxy's"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return whose + " TLS certificate is for another host"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return whose + " TLS certificate has expired or is not valid yet"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return whose + " TLS certificate is not of an authority that is trusted: caCert names others"
	}
	if isOp && op.Op == "remote error" {
		return "it refuses the TLS connection: it may demand a client certificate, or another one"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return "it does not speak TLS"
	}
	return ""
}

// passingReason says in a few words, without addresses, what went wrong.
func (d *download) passingReason(err error) string {
	if refused, ok := errors.AsType[*proxyRefusal](err); ok {
		return refused.Error()
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && isOfProxy(op) {
		return "the proxy cannot be reached or does not let it through"
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return "there is no such host"
		}
		return "the host's name cannot be resolved"
	}
	timeout, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, errStalled) && d.receiving:
		return errStalled.Error()
	case errors.Is(err, errStalled), ok && timeout.Timeout():
		return "it does not answer in time"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return endedReason
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "the host cannot be reached: there is no route to it"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		return "the connection was reset"
	}
	if _, ok := errors.AsType[textproto.ProtocolError](err); ok || errors.Is(err, http.ErrLineTooLong) {
		return invalidReason
	}
	return reasonOfText(err.Error())
}

const (
	endedReason   = "the connection ended in the middle"
	invalidReason = "its answer is not valid HTTP"
)

// texts are of errors that have no type of their own, of net/http and of plainhttp,
// with what they mean. The first one that is found counts.
var texts = []struct{ part, reason string }{
	{"headers exceeded", headReason},
	{"headers have more than", headReason},
	{"response header list larger than", headReason},
	{"; received from peer", "it reset the stream"},
	{"server sent GOAWAY", endedReason},
	{"server closed idle connection", endedReason},
	{"client connection lost", "it does not answer in time"},
	{"malformed HTTP", invalidReason},
	{"Content-Length", invalidReason},
	{"transfer encoding", invalidReason},
	{"chunk", invalidReason}, // of many errors
	{"trailer", invalidReason},
	{"stream error: ", invalidReason},
	{"connection error: ", invalidReason},
}

var headReason = fmt.Sprintf("its headers have more than %d KiB", maxHead>>10)

// reasonOfText says what an error means by its text. What upstream said may be in
// it, and is not repeated.
func reasonOfText(text string) string {
	for _, t := range texts {
		if strings.Contains(text, t.part) {
			return t.reason
		}
	}
	return "the transfer failed"
}
