package resolvers

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"ream/access"
	"ream/event"
)

// sharing lets subscribers who ask the same and may see the same have the same
// frames: of a thousand who follow a group, one is served by executing their
// document, and the others by what came of it.
type sharing struct {
	mu         sync.Mutex
	broadcasts map[audience]*broadcast
}

func newSharing() *sharing { return &sharing{broadcasts: map[audience]*broadcast{}} }

// audience is what subscribers have in common whose frames are the same.
type audience struct {
	query, operation, variables string
	role                        access.Role
	limit                       access.Limit
}

// broadcast is the newest frame of one audience.
type broadcast struct {
	audience audience
	size     int // of the audience; sharing.mu guards it

	mu       sync.RWMutex
	of       event.Snapshot // what the newest frame was made of
	made     time.Time      // when
	response *graphql.Response
}

// frameAge is how old a frame may be that is shared: what it reads besides the
// snapshot may change meanwhile.
const frameAge = 250 * time.Millisecond

// around shares the frames of subscriptions that follow a topic.
func (s *sharing) around(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	op := graphql.GetOperationContext(ctx)
	if op.Operation.Operation != ast.Subscription {
		return next(ctx)
	}
	f := &following{}
	responses := next(context.WithValue(ctx, followingKey{}, f))
	if f.await == nil {
		return responses // it failed
	}
	shared := s.join(ctx, op)
	var last *graphql.Response
	return func(ctx context.Context) *graphql.Response {
		for {
			snapshot := f.await(ctx)
			if snapshot == nil {
				return responses(ctx)
			}
			response := shared.frame(snapshot, func() (response *graphql.Response) {
				f.pass()
				elsewhere(func() { response = responses(ctx) })
				return response
			})
			// A topic is also read again without a change, and changes in what this
			// document does not ask for. Its end is always told.
			if response == nil || response != last || snapshot.Finished() {
				last = response
				return response
			}
		}
	}
}

// join returns the frames of what an operation asks, until ctx ends.
func (s *sharing) join(ctx context.Context, op *graphql.OperationContext) *broadcast {
	variables, err := json.Marshal(op.Variables)
	if err != nil {
		return &broadcast{} // shared with nobody
	}
	caller := access.CallerOf(ctx)
	a := audience{op.RawQuery, op.OperationName, string(variables), caller.Role, caller.Limit}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.broadcasts[a]
	if b == nil {
		b = &broadcast{audience: a}
		s.broadcasts[a] = b
	}
	b.size++
	op.RawQuery = b.audience.query // one copy is enough for all
	context.AfterFunc(ctx, func() { s.leave(b) })
	return b
}

func (s *sharing) leave(b *broadcast) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.size--; b.size == 0 {
		delete(s.broadcasts, b.audience)
	}
}

// frame returns the frame of a snapshot, which execute makes if nobody did a
// moment ago. One that says the same as the frame before is that frame.
func (b *broadcast) frame(snapshot event.Snapshot, execute func() *graphql.Response) *graphql.Response {
	b.mu.RLock()
	response := b.recent(snapshot)
	b.mu.RUnlock()
	if response != nil {
		return response
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if response := b.recent(snapshot); response != nil {
		return response
	}
	response = execute()
	if response == nil || len(response.Errors) > 0 || len(response.Extensions) > 0 {
		return response // which may be of this subscriber alone
	}
	b.of, b.made = snapshot, time.Now()
	if b.response == nil || !bytes.Equal(b.response.Data, response.Data) {
		b.response = &graphql.Response{Data: bytes.Clone(response.Data)} // gqlgen writes the next one over it
	}
	return b.response
}

// recent is the newest frame, if it is of a snapshot and not too old. The caller
// holds mu.
func (b *broadcast) recent(snapshot event.Snapshot) *graphql.Response {
	if b.response == nil || b.of != snapshot || time.Since(b.made) > frameAge {
		return nil
	}
	return b.response
}
