package main

import (
	"flag"
	"fmt"
	"net/http"
	"time"

	"ream/quota"
)

// crowd is what the flags say about how many clients may read content, and how
// slowly.
type crowd struct {
	perClient, all int           // requests at once; 0 for any number
	stall          time.Duration // 0 for any time
}

func (c *crowd) add(flags *flag.FlagSet) {
	flags.IntVar(&c.perClient, "content-requests-per-client", 2000, "answer so many requests for content of one address at once, and others with 429; 0 for any number")
	flags.IntVar(&c.all, "content-requests", 10_000, "answer so many requests for content at once in all, and others with 503; 0 for any number")
	flags.DurationVar(&c.stall, "content-stall", time.Minute, "disconnect a client that takes nothing of an answer for so long, on Linux; 0 for never")
}

func (c *crowd) check() error {
	return want(c.perClient >= 0 && c.all >= 0 && (c.stall == 0 || c.stall >= time.Millisecond),
		"--content-requests-per-client, --content-requests and --content-stall: want 0 or more, such as 2000, 10000 and 1m")
}

// refusedFor is when a client that was refused may come again, in seconds: others
// have got their answers by then.
const refusedFor = "5"

// bounded answers no more requests at once than requests allows.
func bounded(requests *quota.Requests, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client, refused := requests.Begin(r.RemoteAddr)
		if refused != nil {
			refuseOne(w, refused)
			return
		}
		defer requests.End(client)
		next.ServeHTTP(w, r)
	})
}

func refuseOne(w http.ResponseWriter, refused *quota.Refused) {
	status, message := http.StatusTooManyRequests, "%d requests for content from your address are being answered already: try again in %s seconds"
	if refused.All {
		status, message = http.StatusServiceUnavailable, "%d requests for content are being answered already: try again in %s seconds"
	}
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Retry-After", refusedFor)
	http.Error(w, fmt.Sprintf(message, refused.Max, refusedFor), status)
}

// mostConnections are as many as a machine of some gigabytes has memory for.
const mostConnections = 1 << 16

// connections is how many clients' connections there may be where so many files
// may be open: a quarter, of 64 at least, is left to files, the database and upstreams.
// Where hardly any may be, clients get half.
func connections(files uint64) int {
	return int(min(files-min(max(files/4, 64), files/2), mostConnections))
}
