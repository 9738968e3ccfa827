package resolvers

import (
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ream/fault"
	"ream/graph"
)

// Limits are what the server does for its clients at most. A limit of 0 is
// none. They are a flag.Value, of which Settings explains the parts.
type Limits struct {
	// Of a document, as it is sent.
	Tokens     int
	Aliases    int
	Directives int

	// Of an operation, with its fragments and variables.
	RootFields int
	Depth      int
	Cost       int

	// Of its answer.
	Duration time.Duration // subscriptions go on for as long as the client stays
	Errors   int

	// Of what is sent at once.
	Body    Bytes
	Message Bytes
	Batch   int

	// Of each client, or of all together.
	Rate                   int // per second
	Burst                  int
	SocketsPerClient       int
	Sockets                int
	SubscriptionsPerSocket int
	SubscriptionsPerClient int
	Subscriptions          int

	// Of what is remembered for clients.
	Persisted Bytes
}

// DefaultLimits are those of a server that anybody may reach.
func DefaultLimits() Limits {
	return Limits{
		Tokens:     1000,
		Aliases:    30,
		Directives: 50,

		RootFields: 20,
		Depth:      15,
		Cost:       20_000,

		Duration: 30 * time.Second,
		Errors:   10,

		Body:    1 << 20,
		Message: 128 << 10,
		Batch:   10,

		Rate:                   1000,
		Burst:                  2000,
		SocketsPerClient:       1000,
		Sockets:                20_000,
		SubscriptionsPerSocket: 100,
		SubscriptionsPerClient: 5000,
		Subscriptions:          50_000,

		Persisted: 16 << 20,
	}
}

// Setting is one of the limits.
type Setting struct {
	Name  string // as operators and errors call it
	Value flag.Value
	About string // what it bounds
}

// Settings are all limits, in the order in which they are explained. To set a
// value changes l.
func (l *Limits) Settings() []Setting {
	return []Setting{
		{"tokens", (*amount)(&l.Tokens), "names, values, signs and comments of a document"},
		{"aliases", (*amount)(&l.Aliases), "fields of a document that are given another name"},
		{"directives", (*amount)(&l.Directives), "directives of a document"},

		{"root-fields", (*amount)(&l.RootFields), "fields of an operation that are in no other field"},
		{"depth", (*amount)(&l.Depth), "levels of fields within fields"},
		{"cost", (*amount)(&l.Cost), "what an operation may cost, as counted below"},

		{"duration", (*span)(&l.Duration), "how long a query or mutation may take, and how long its arrival; how long a page over plain HTTP"},
		{"errors", (*amount)(&l.Errors), "errors of an answer that are told"},

		{"body", &l.Body, "bytes of a request"},
		{"message", &l.Message, "bytes of a message on a socket"},
		{"batch", (*amount)(&l.Batch), "requests in one, as a JSON list"},

		{"rate", (*amount)(&l.Rate), "requests and messages of a client in a second, evened out"},
		{"burst", (*amount)(&l.Burst), "requests and messages of a client at once, after a time without any"},
		{"sockets-per-client", (*amount)(&l.SocketsPerClient), "sockets that a client may have open"},
		{"sockets", (*amount)(&l.Sockets), "sockets that may be open in all"},
		{"subscriptions-per-socket", (*amount)(&l.SubscriptionsPerSocket), "operations that may be under way on a socket"},
		{"subscriptions-per-client", (*amount)(&l.SubscriptionsPerClient), "subscriptions that a client may have open, on sockets and as events"},
		{"subscriptions", (*amount)(&l.Subscriptions), "subscriptions that may be open in all"},

		{"persisted", &l.Persisted, "bytes of the documents that are remembered by their hashes (automatic persisted queries)"},
	}
}

// Told are all limits as clients are told of them.
func (l *Limits) Told() []*graph.ServerLimit {
	var told []*graph.ServerLimit
	for _, s := range l.Settings() {
		told = append(told, &graph.ServerLimit{Name: s.Name, About: s.About, Value: s.Value.String()})
	}
	return told
}

// String tells all limits as Set reads them.
func (l *Limits) String() string {
	var parts []string
	for _, s := range l.Settings() {
		parts = append(parts, s.Name+"="+s.Value.String())
	}
	return strings.Join(parts, ",")
}

// Set changes the limits that the text names: "depth=20,body=2MiB".
func (l *Limits) Set(text string) error {
	settings := l.Settings()
	names := make([]string, len(settings))
	values := make(map[string]flag.Value, len(settings))
	for i, s := range settings {
		names[i], values[s.Name] = s.Name, s.Value
	}
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		limit, known := values[name]
		if !known {
			return fmt.Errorf("there is no limit %q: want one of %s", name, strings.Join(names, ", "))
		}
		if err := limit.Set(value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// amount is a limit that is a number.
type amount int

func (n *amount) String() string { return strconv.Itoa(int(*n)) }

func (n *amount) Set(text string) error {
	i, err := strconv.ParseInt(text, 10, 32)
	if err != nil || i < 0 {
		return fmt.Errorf("%q: want a whole number, 0 for no limit", text)
	}
	*n = amount(i)
	return nil
}

// span is a limit that is a time.
type span time.Duration

func (d *span) String() string { return time.Duration(*d).String() }

func (d *span) Set(text string) error {
	parsed, err := time.ParseDuration(text)
	if err != nil || parsed < 0 {
		return fmt.Errorf("%q: want a time such as 30s, 0 for no limit", text)
	}
	*d = span(parsed)
	return nil
}

// Bytes is a limit that is a number of bytes, of which text has multiples:
// 512KiB, 1MiB.
type Bytes int64

func (b Bytes) String() string {
	n := int64(b)
	switch {
	case n > 0 && n%(1<<20) == 0:
		return strconv.FormatInt(n>>20, 10) + "MiB"
	case n > 0 && n%(1<<10) == 0:
		return strconv.FormatInt(n>>10, 10) + "KiB"
	}
	return strconv.FormatInt(n, 10)
}

// Set reads a number of bytes.
func (b *Bytes) Set(text string) error {
	number, unit := text, int64(1)
	for suffix, bytes := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20} {
		if n, ok := strings.CutSuffix(text, suffix); ok {
			number, unit = n, bytes
		}
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 0 {
		return fmt.Errorf("%q: want a number of bytes such as 65536, 512KiB or 1MiB, 0 for no limit", text)
	}
	*b = Bytes(n * unit)
	return nil
}

// exceeded is the fault of asking for more than a limit allows.
type exceeded struct {
	fault *fault.Error
	limit string // its name
	max   any    // a number; of a time, its seconds
}

// over says what is more than a limit allows, and what to do about it. The limit
// is a number, or a time.
func over(kind fault.Kind, limit string, max any, problem, remedy string) *exceeded {
	e := &exceeded{fault.New(kind, "%s (limit %s=%v): %s", problem, limit, max, remedy), limit, max}
	if d, ok := max.(time.Duration); ok {
		e.max = d.Seconds()
	}
	return e
}

// Error returns the fault's message.
func (e *exceeded) Error() string { return e.fault.Error() }

// Unwrap returns the fault.
func (e *exceeded) Unwrap() error { return e.fault }
