package blob

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
)

// S3Options says where blobs are in an S3-compatible store. Credentials are no
// part of it: they come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
// AWS_SESSION_TOKEN, from ~/.aws, or from the role of the machine.
type S3Options struct {
	Bucket    string
	Prefix    string // of all keys; empty, or with a slash at its end
	Endpoint  string // http://host or https://host, with a port if need be
	Region    string // empty to ask the store
	PathStyle *bool  // whether the bucket is in the path, not in the host's name; nil to go by the endpoint
	Redirect  bool   // whether clients may be sent to the store

	Staging string // the directory where blobs are written before they are uploaded
	Tries   int    // how often a request is made until it succeeds; 10 if 0
	Part    int64  // the size of the parts in which large blobs are uploaded; 32 MiB if 0

	Patience time.Duration // for how long an upload is tried again when the store is overloaded or restarts

	pause       time.Duration            // before that is done the first time; a second if 0
	credentials *credentials.Credentials // those of the environment if nil
}

// ParseS3 reads s3://bucket/prefix?endpoint=…&region=…&path-style=true&redirect=true&patience=2m.
// What is missing comes from AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION
// and AWS_DEFAULT_REGION, and else is Amazon's. Its errors hold nothing of the
// location but names of parameters, as somebody may have put a secret into it.
func ParseS3(location string) (S3Options, error) {
	u, err := url.Parse(location)
	if err != nil {
		return S3Options{}, errors.New("it is no valid URL: want s3://bucket/prefix?endpoint=https://host&region=…")
	}
	const remedy = "put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or into ~/.aws/credentials"
	o := S3Options{Bucket: u.Host, Prefix: strings.Trim(u.Path, "/"), Patience: 2 * time.Minute}
	switch {
	case u.Scheme != "s3":
		return S3Options{}, errors.New("want s3://bucket/prefix")
	case u.User != nil:
		return S3Options{}, errors.New("credentials do not belong into the URL, where others see them: " + remedy)
	case o.Bucket == "" || u.Port() != "":
		return S3Options{}, errors.New("want the name of a bucket, as in s3://bucket/prefix")
	case u.Fragment != "":
		return S3Options{}, errors.New("it may not have a fragment (#…)")
	}
	if o.Prefix != "" {
		o.Prefix += "/"
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return S3Options{}, errors.New("its parameters are not valid: want key=value, joined by &")
	}
	for name, all := range values {
		value := all[0]
		if len(all) > 1 {
			return S3Options{}, fmt.Errorf("it has %s more than once", name)
		}
		switch name {
		case "endpoint":
			o.Endpoint = value
		case "region":
			o.Region = value
		case "path-style":
			style, err := strconv.ParseBool(value)
			if err != nil {
				return S3Options{}, errors.New("path-style: want true or false")
			}
			o.PathStyle = &style
		case "redirect":
			if o.Redirect, err = strconv.ParseBool(value); err != nil {
				return S3Options{}, errors.New("redirect: want true or false")
			}
		case "patience":
			if o.Patience, err = time.ParseDuration(value); err != nil || o.Patience < 0 {
				return S3Options{}, errors.New("patience: want a time such as 30s or 2m")
			}
		default:
			if strings.Contains(strings.ToLower(name), "key") || strings.Contains(strings.ToLower(name), "secret") {
				return S3Options{}, errors.New("credentials do not belong into the URL, where others see them: " + remedy)
			}
			return S3Options{}, fmt.Errorf("%q is unknown: want endpoint, region, path-style, redirect or patience", name)
		}
	}
	o.Endpoint = first(o.Endpoint, os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL"))
	o.Region = first(o.Region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"))
	if o.Endpoint == "" {
		o.Endpoint = "https://s3.amazonaws.com"
	} else if o.Region == "" {
		o.Region = "us-east-1" // what stores that know no regions expect
	}
	if e, err := url.Parse(o.Endpoint); err != nil || e.Scheme != "http" && e.Scheme != "https" || e.Host == "" ||
		e.User != nil || strings.Trim(e.Path, "/") != "" || e.RawQuery != "" || e.Fragment != "" {
		return S3Options{}, errors.New("endpoint: want http://host or https://host, with a port if need be, and nothing else")
	}
	return o, nil
}

// first returns the first of some strings that is not empty.
func first(of ...string) string {
	for _, s := range of {
		if s != "" {
			return s
		}
	}
	return ""
}
