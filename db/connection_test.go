package db_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"ream/content"
	"ream/db"
	"ream/db/dbtest"
	"ream/fault"
	"ream/task"
)

// TestCallsEndWithTheirContexts uses a database whose network swallows
// everything: what is asked gets no answer, and no refusal.
func TestCallsEndWithTheirContexts(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(context.Context, *db.DB) error{
		"a read":        func(ctx context.Context, d *db.DB) error { _, err := d.Queue(ctx); return err },
		"a transaction": func(ctx context.Context, d *db.DB) error { _, err := d.Heartbeat(ctx, 1); return err },
		"prepared statements": func(ctx context.Context, d *db.DB) error {
			_, err := d.Cycle(ctx, 1, nil, nil, task.Vacancies{Total: 1, Of: map[task.Kind]int{"a": 1}})
			return err
		},
		"a ping": func(ctx context.Context, d *db.DB) error { return d.Ping(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy, address := dbtest.NewProxy(t, dbtest.PostgresAddress(t))
			d := dbtest.Open(t, address, db.Options{})
			for range 3 { // until there are idle connections with prepared statements
				if err := call(t.Context(), d); err != nil {
					t.Fatal(err)
				}
			}
			proxy.Swallow()
			ended := make(chan error, 2)
			go func() { ended <- call(t.Context(), d) }() // ends because the next one gets no answer
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
				defer cancel()
				ended <- call(ctx, d)
			}()
			for range 2 {
				select {
				case err := <-ended:
					if !errors.Is(err, context.DeadlineExceeded) && !fault.Is(err, fault.Unavailable) {
						t.Errorf("got %v, want that it was not available in time", err)
					}
				case <-time.After(patience):
					t.Fatal("the call does not end")
				}
			}
			// The connections of before are dead, though nobody was told: none is used
			// again.
			proxy.Restore()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := call(ctx, d); err != nil {
				t.Errorf("after the network is back: %v", err)
			}
		})
	}
}

// TestCopyEndsWithItsContext copies rows while another transaction has one of
// them, and does not end in time.
func TestCopyEndsWithItsContext(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.PostgresAddress(t), db.Options{})
	var artifacts []content.Artifact
	for i := range 100 {
		artifacts = append(artifacts, content.Artifact{SHA256: content.Digest(fmt.Sprintf("%064x", i)), Size: 1})
	}
	add := func(tx *db.Tx) error { return tx.AddArtifacts(t.Context(), artifacts) }
	added, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- d.InTx(t.Context(), func(tx *db.Tx) error {
			err := add(tx)
			close(added)
			<-goOn
			return err
		})
	}()
	<-added
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := d.InTx(ctx, func(tx *db.Tx) error { return tx.AddArtifacts(ctx, artifacts) }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want that the time is over", err)
	}
	close(goOn)
	if err := <-ended; err != nil {
		t.Errorf("the other transaction: %v", err)
	}
	if err := d.InTx(t.Context(), add); err != nil {
		t.Errorf("afterwards, when it is there: %v", err)
	}
}

// TestProcessThatStandsStillBlocksNobody stops in the middle of a transaction
// that has locked what others want.
func TestProcessThatStandsStillBlocksNobody(t *testing.T) {
	t.Parallel()
	address := dbtest.PostgresAddress(t)
	goesOn := engine{DB: dbtest.Open(t, address, db.Options{}), t: t} // which makes the tables, in as long as that takes
	stops := dbtest.Open(t, address+"&idle_in_transaction_session_timeout=1000", db.Options{})
	reserved := task.New{Kind: "a", Reservations: exclusive("r")}
	goesOn.enqueue(reserved)
	locked, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- stops.InTx(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Enqueue(t.Context(), reserved)
			close(locked)
			<-goOn
			return err
		})
	}()
	<-locked
	goesOn.enqueue(reserved)
	close(goOn)
	if err := <-ended; !fault.Is(err, fault.Unavailable) {
		t.Errorf("the transaction that stood still: got %v, want it to be lost", err)
	}
	if q, err := goesOn.Queue(t.Context()); err != nil || q.Tally.Waiting != 2 {
		t.Errorf("got %+v, %v, want the two tasks of the others", q, err)
	}
}

// TestCloseWhatIsLost closes a database whose server has gone: there is nothing
// left that could fail.
func TestCloseWhatIsLost(t *testing.T) {
	t.Parallel()
	proxy, address := dbtest.NewProxy(t, dbtest.PostgresAddress(t))
	d, err := db.Open(t.Context(), address, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.TasksByID(t.Context(), []task.ID{1}); err != nil { // which prepares a statement
		t.Fatal(err)
	}
	proxy.Refuse()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
