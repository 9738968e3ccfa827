package blob

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/minio/minio-go/v7"

	"ream/fault"
)

// refused is the error of an operation that the store refused, or that did not
// reach it. Its message says what to do and names neither the store nor keys.
func refused(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", doing, context.Cause(ctx))
	}
	reason := why(err)
	passes := passes(err)
	err = fmt.Errorf("%s: %w", doing, cause(err))
	if passes {
		err = passing{err}
	}
	if reason == "" {
		return err
	}
	return fault.Wrap(err, fault.Unavailable, "the storage %s", reason)
}

// passing is what a store that is overloaded, or restarts, says for a while.
type passing struct{ error }

// Unwrap returns the cause.
func (p passing) Unwrap() error { return p.error }

func isPassing(err error) bool {
	_, ok := errors.AsType[passing](err)
	return ok
}

// passes reports whether the same request may succeed in a while.
func passes(err error) bool {
	answer, ok := errors.AsType[minio.ErrorResponse](err)
	if !ok {
		_, unreached := errors.AsType[*url.Error](err)
		return unreached
	}
	switch answer.StatusCode {
	case http.StatusInsufficientStorage, http.StatusNotImplemented:
		return false
	case http.StatusTooManyRequests:
		return true
	}
	return answer.StatusCode >= 500 || answer.Code == "SlowDown"
}

// cause is what went wrong with a request, without its address, and with the
// code of the store's answer.
func cause(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	if answer, ok := errors.AsType[minio.ErrorResponse](err); ok {
		return fmt.Errorf("%d %s: %w", answer.StatusCode, answer.Code, answer)
	}
	return err
}

// why says, as the end of a sentence about the storage, what an error means
// and what to do. It is empty for a defect.
func why(err error) string {
	answer, ok := errors.AsType[minio.ErrorResponse](err)
	if !ok {
		if _, ok := errors.AsType[*url.Error](err); ok {
			return "cannot be reached: try again later"
		}
		return ""
	}
	switch answer.Code {
	case minio.NoSuchBucket:
		return "lacks its bucket: create it"
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired":
		return "does not accept the credentials: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ~/.aws/credentials"
	case minio.AccessDenied, "AllAccessDisabled", "AccountProblem":
		return "does not allow it: the credentials need the rights to get, put, list and delete objects"
	case "RequestTimeTooSkewed":
		return "has another time: set the clock right"
	case minio.AuthorizationHeaderMalformed, minio.InvalidRegion, "PermanentRedirect", "TemporaryRedirect", "IllegalLocationConstraintException":
		return "is in another region: name it with region=…"
	case "XMinioStorageFull", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "InsufficientStorage":
		return "is full: make room and try again"
	}
	switch {
	case answer.StatusCode == http.StatusInsufficientStorage:
		return "is full: make room and try again"
	case answer.StatusCode == http.StatusForbidden:
		return "does not allow it: the credentials need the rights to get, put, list and delete objects"
	case answer.StatusCode == http.StatusTooManyRequests, answer.StatusCode >= 500:
		return "does not answer as it should: try again later"
	}
	return ""
}

// isMissing reports whether the store says that an object, or an upload, does
// not exist.
func isMissing(err error) bool {
	answer, ok := errors.AsType[minio.ErrorResponse](err)
	return ok && answer.StatusCode == http.StatusNotFound && answer.Code != minio.NoSuchBucket
}
