package resolvers

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// begin starts what the client asked for. It answers itself if that cannot
// be.
func (s *socket) begin(o *exchange) {
	ctx, cancel := context.WithCancel(graphql.StartOperationTrace(s.ctx))
	o.cancel = cancel
	now := graphql.Now()
	o.request.ReadTime = graphql.TraceTiming{Start: now, End: now}
	op, errs := s.exec.CreateOperationContext(ctx, &o.request)
	ctx = graphql.WithOperationContext(ctx, op)
	if errs != nil {
		defer s.talk.left()
		defer cancel()
		response := s.exec.DispatchError(ctx, errs)
		if errcode.GetErrorKind(errs) == errcode.KindProtocol {
			s.fail(o, response.Errors)
		} else if s.next(o, response) {
			s.complete(o)
		}
		return
	}
	o.request = graphql.RawParams{} // op has what is needed of it
	s.running.Go(func() { s.run(ctx, o, op) })
}

// run tells the client what comes of an operation until it ends.
func (s *socket) run(ctx context.Context, o *exchange, op *graphql.OperationContext) {
	defer s.talk.left()
	defer o.cancel()
	defer func() {
		if v := recover(); v != nil {
			s.fail(o, panicked(ctx, s.exec, v).Errors)
		}
	}()
	var responses graphql.ResponseHandler
	elsewhere(func() { responses, ctx = s.exec.DispatchOperation(ctx, op) })
	for response := responses(ctx); response != nil; response = responses(ctx) {
		if !s.next(o, response) {
			return
		}
	}
	if s.ctx.Err() == nil { // otherwise the client is to come back
		s.complete(o)
	}
}

func (s *socket) next(o *exchange, r *graphql.Response) bool {
	if s.talk.older {
		return s.say(o, "data", encodeResponse(r), false)
	}
	return s.say(o, "next", encodeResponse(r), false)
}

func (s *socket) complete(o *exchange) { s.say(o, "complete", nil, true) }

// fail says that an operation ended by errors.
func (s *socket) fail(o *exchange, errs gqlerror.List) {
	payload, err := json.Marshal(errs)
	if err != nil {
		panic(err) // cannot be: presented errors hold texts and numbers
	}
	s.say(o, "error", payload, true)
}

// envelopes are buffers for messages.
var envelopes = sync.Pool{New: func() any { return new([]byte) }}

// say sends a message of an operation unless the client does not listen to it
// any more, and reports whether it may be told more.
func (s *socket) say(o *exchange, kind string, payload []byte, last bool) bool {
	s.writing.Lock()
	defer s.writing.Unlock()
	if !s.talk.says(o, last) {
		return false
	}
	buffer := envelopes.Get().(*[]byte)
	text := append((*buffer)[:0], `{"id":`...)
	text = append(text, o.quoted...)
	text = append(text, `,"type":"`...)
	text = append(text, kind...)
	if payload == nil {
		text = append(text, `"}`...)
	} else {
		text = append(text, `","payload":`...)
		text = append(text, payload...)
		text = append(text, '}')
	}
	err := s.writeNext(text)
	*buffer = text
	envelopes.Put(buffer)
	return err == nil
}
