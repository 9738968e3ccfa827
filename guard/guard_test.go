package guard_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ream/access"
	"ream/catalog"
	"ream/db"
	"ream/db/dbtest"
	"ream/fault"
	"ream/guard"
)

// patience is how long a test waits for what must happen soon.
const patience = 30 * time.Second

// house is a guard of a real database, with a clock that tests set.
type house struct {
	*guard.Guard
	t       *testing.T
	catalog *catalog.Catalog
	db      *db.DB
	now     atomic.Int64 // microseconds after the real time
	lookups atomic.Int32 // of tokens by their hashes
	uses    atomic.Int32 // writes of when tokens were used
	log     journal
}

// journal keeps what is logged.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (h *house) time() time.Time { return time.Now().Add(time.Duration(h.now.Load())) }

func (h *house) TokenByHash(ctx context.Context, hash string) (*access.Token, error) {
	h.lookups.Add(1)
	return h.db.TokenByHash(ctx, hash)
}

func (h *house) TokensByID(ctx context.Context, ids []access.TokenID) ([]*access.Token, error) {
	return h.db.TokensByID(ctx, ids)
}

func (h *house) UseTokens(ctx context.Context, used map[access.TokenID]time.Time) error {
	h.uses.Add(1)
	return h.db.UseTokens(ctx, used)
}

// eachHouse runs a test on every kind of database, with a guard that runs.
func eachHouse(t *testing.T, o guard.Options, f func(*house)) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := &house{t: t, db: d, catalog: &catalog.Catalog{DB: d}}
		o := o
		o.Tokens, o.Now, o.Log = h, h.time, slog.New(slog.NewTextHandler(&h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		h.Guard = guard.New(o)
		d.OnChange(func(c db.Changes) {
			if c.Tokens {
				h.Changed()
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- h.Run(ctx) }()
		stop := func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Run: got %v", err)
			}
			ended <- nil
		}
		t.Cleanup(stop)
		f(h)
	})
}

// token makes a token and returns it with its secret.
func (h *house) token(in catalog.TokenInput) (*access.Token, string) {
	h.t.Helper()
	token, secret, err := h.catalog.CreateToken(h.t.Context(), in)
	if err != nil {
		h.t.Fatal(err)
	}
	return token, secret
}

func (h *house) revoke(id access.TokenID) {
	h.t.Helper()
	if _, err := h.catalog.RevokeToken(h.t.Context(), id); err != nil {
		h.t.Fatal(err)
	}
}

// identify returns the kind of fault with which credentials are refused; empty
// if they are not.
func (h *house) identify(authorization, address string) (access.Principal, fault.Kind) {
	h.t.Helper()
	p, err := h.Identify(h.t.Context(), authorization, address)
	if err == nil {
		return p, ""
	}
	if p != (access.Principal{}) {
		h.t.Errorf("%q: a principal beside the error: %+v", authorization, p)
	}
	return p, fault.KindOf(err)
}

func TestIdentify(t *testing.T) {
	eachHouse(t, guard.Options{}, func(h *house) {
		good, secret := h.token(catalog.TokenInput{Name: "good", Role: access.Operator, Labels: "env=prod"})
		_, short := h.token(catalog.TokenInput{Name: "short", Role: access.Admin, ExpiresAt: new(time.Now().Add(time.Hour))})
		gone, revoked := h.token(catalog.TokenInput{Name: "gone", Role: access.Admin})
		h.revoke(gone.ID)
		h.now.Store(int64(2 * time.Hour)) // by now one has expired
		p, kind := h.identify("Bearer "+secret, "a")
		if want := (access.Principal{Kind: access.ByToken, Name: "good", Role: access.Operator, Limit: "env=prod", TokenID: good.ID}); kind != "" || p != want {
			h.t.Errorf("got %+v, %s, want %+v", p, kind, want)
		}
		for name, authorization := range map[string]string{
			"nothing": "", "an expired token": "Bearer " + short, "a revoked token": "Bearer " + revoked,
			"an unknown token": "Bearer " + access.NewSecret(), "a mistyped token": "Bearer " + secret[:62] + "!",
			"no scheme": secret, "another scheme": "Basic " + secret, "no token": "Bearer ", "half of a JWT": "Bearer eyJhbGciOiJub25lIn0.e30.",
		} {
			if _, kind := h.identify(authorization, name); kind != fault.Unauthenticated {
				h.t.Errorf("%s: got %q, want UNAUTHENTICATED", name, kind)
			}
		}
		if _, kind := h.identify("bearer   "+secret, "a"); kind != "" {
			h.t.Errorf("a scheme in lower case: got %s", kind)
		}
		for _, s := range []string{secret, short, revoked} {
			if strings.Contains(h.log.String(), s) || strings.Contains(h.log.String(), s[5:40]) {
				h.t.Errorf("the log has a secret:\n%s", h.log.String())
			}
		}
	})
}

func TestAnonymous(t *testing.T) {
	eachHouse(t, guard.Options{Anonymous: true}, func(h *house) {
		if p, kind := h.identify("", "a"); kind != "" || p != (access.Principal{Kind: access.Anonymous, Role: access.Admin}) {
			h.t.Errorf("got %+v, %s", p, kind)
		}
		if _, kind := h.identify("Bearer "+access.NewSecret(), "a"); kind != fault.Unauthenticated {
			h.t.Errorf("with a wrong token: got %q, want UNAUTHENTICATED: whoever shows one does not mean to be anonymous", kind)
		}
		_, secret := h.token(catalog.TokenInput{Name: "r", Role: access.Reader})
		if p, kind := h.identify("Bearer "+secret, "a"); kind != "" || p.Role != access.Reader {
			h.t.Errorf("with a token: got %+v, %s", p, kind)
		}
	})
}

func TestTokensAreLookedUpSeldom(t *testing.T) {
	eachHouse(t, guard.Options{}, func(h *house) {
		_, secret := h.token(catalog.TokenInput{Name: "a", Role: access.Reader})
		ask := func(times int, want int32) {
			h.t.Helper()
			before := h.lookups.Load()
			for range times {
				if _, kind := h.identify("Bearer "+secret, "a"); kind != "" {
					h.t.Fatal(kind)
				}
			}
			if got := h.lookups.Load() - before; got != want {
				h.t.Errorf("lookups: got %d, want %d", got, want)
			}
		}
		ask(100, 1)
		h.now.Store(int64(10 * time.Second))
		ask(100, 1)
		if h.uses.Load() != 0 {
			h.t.Errorf("the database was told of uses %d times within the minute", h.uses.Load())
		}
	})
}

func TestUsesAreKept(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := &house{t: t, db: d, catalog: &catalog.Catalog{DB: d}}
		h.Guard = guard.New(guard.Options{Tokens: h, Now: h.time})
		token, secret := h.token(catalog.TokenInput{Name: "a", Role: access.Reader})
		for range 50 {
			h.identify("Bearer "+secret, "a")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // a server that stops keeps what it knows
		if err := h.Run(ctx); err != nil {
			t.Fatal(err)
		}
		found, err := d.TokensByID(t.Context(), []access.TokenID{token.ID})
		if err != nil || found[0].LastUsedAt == nil || time.Since(*found[0].LastUsedAt) > time.Minute || h.uses.Load() != 1 {
			t.Errorf("got %+v, %v after %d writes", found[0], err, h.uses.Load())
		}
	})
}

func TestRevokedAtOnce(t *testing.T) {
	eachHouse(t, guard.Options{}, func(h *house) {
		token, secret := h.token(catalog.TokenInput{Name: "a", Role: access.Reader})
		other, otherSecret := h.token(catalog.TokenInput{Name: "b", Role: access.Reader})
		stay := func(secret string) (context.Context, func()) {
			p, kind := h.identify("Bearer "+secret, "a")
			if kind != "" {
				h.t.Fatal(kind)
			}
			return h.Stay(access.WithCaller(h.t.Context(), access.Caller{Principal: p}))
		}
		mine, leave := stay(secret)
		defer leave()
		others, leaveOthers := stay(otherSecret)
		h.revoke(token.ID)
		if _, kind := h.identify("Bearer "+secret, "a"); kind != fault.Unauthenticated {
			h.t.Errorf("a request after the revocation: got %q, want UNAUTHENTICATED", kind)
		}
		ends(h.t, mine, "the token was revoked")
		if others.Err() != nil {
			h.t.Error("another token's stream ended too")
		}
		leaveOthers()
		ends(h.t, others, context.Canceled.Error())
		// Whoever was let in just before, and begins to stay just after.
		p, _ := h.identify("Bearer "+otherSecret, "a")
		h.revoke(other.ID)
		late, leaveLate := h.Stay(access.WithCaller(h.t.Context(), access.Caller{Principal: p}))
		defer leaveLate()
		ends(h.t, late, "the token was revoked")
	})
}

// ends waits for the end of a context, which must have this cause.
func ends(t *testing.T, ctx context.Context, cause string) {
	t.Helper()
	select {
	case <-ctx.Done():
		if got := context.Cause(ctx); got.Error() != cause {
			t.Errorf("ended by %q, want %q", got, cause)
		}
	case <-time.After(patience):
		t.Errorf("it does not end by %q", cause)
	}
}

func TestStreamsEndWithTheirTime(t *testing.T) {
	t.Parallel()
	g := guard.New(guard.Options{})
	ctx, leave := g.Stay(access.WithCaller(t.Context(), access.Caller{Principal: access.Principal{Until: new(time.Now().Add(20 * time.Millisecond))}}))
	defer leave()
	ends(t, ctx, "the credentials have expired")
	ctx, leave = g.Stay(access.WithCaller(t.Context(), access.Caller{Principal: access.Principal{Until: new(time.Now().Add(time.Hour))}}))
	leave()
	ends(t, ctx, context.Canceled.Error())
}

func TestThoseWhoGuessAreSlowedDown(t *testing.T) {
	eachHouse(t, guard.Options{}, func(h *house) {
		_, known := h.token(catalog.TokenInput{Name: "known", Role: access.Reader})
		_, late := h.token(catalog.TokenInput{Name: "late", Role: access.Reader})
		const bad, other = "2001:db8::1", "2001:db8:0:1::1"
		h.identify("Bearer "+known, bad)
		guess := func(address string) fault.Kind {
			_, kind := h.identify("Bearer "+access.NewSecret(), address)
			return kind
		}
		for i := range 10 {
			if kind := guess(bad); kind != fault.Unauthenticated {
				h.t.Fatalf("guess %d: got %s", i, kind)
			}
		}
		before := h.lookups.Load()
		for _, address := range []string{bad, "2001:db8::2"} { // one client has all of the network
			if kind := guess(address); kind != fault.RateLimited {
				h.t.Errorf("%s after 10 guesses: got %s", address, kind)
			}
		}
		if kind := guess(other); kind != fault.Unauthenticated {
			h.t.Errorf("another network: got %s", kind)
		}
		if _, kind := h.identify("Bearer "+known, bad); kind != "" {
			h.t.Errorf("a token that was good a moment ago: got %s", kind)
		}
		if _, kind := h.identify("Bearer "+late, bad); kind != fault.RateLimited {
			h.t.Errorf("a good token for the first time: got %q, want RATE_LIMITED", kind)
		}
		if got := h.lookups.Load() - before; got != 1 {
			h.t.Errorf("lookups for those who are slowed down: got %d, want those of the other alone", got)
		}
		h.now.Store(int64(time.Minute))
		if _, kind := h.identify("Bearer "+late, bad); kind != "" {
			h.t.Errorf("a minute later: got %s", kind)
		}
	})
}

// away is a database that does not answer.
type away struct{ guard.Tokens }

func (away) TokenByHash(context.Context, string) (*access.Token, error) {
	return nil, fault.Wrap(errors.New("broken"), fault.Unavailable, "the database does not answer: try again later")
}

func TestNobodyIsLetInUnchecked(t *testing.T) {
	t.Parallel()
	g := guard.New(guard.Options{Tokens: away{}})
	for range 20 { // which are no failures of the client
		if _, err := g.Identify(t.Context(), "Bearer "+access.NewSecret(), "a"); !fault.Is(err, fault.Unavailable) {
			t.Fatalf("got %v, want UNAVAILABLE", err)
		}
	}
}
