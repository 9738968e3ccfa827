package access

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"

	"ream/fault"
)

// Action is a mutation under way. It belongs to one goroutine.
type Action struct {
	Operation string
	Arguments json.RawMessage // without secrets
	recorded  bool
}

type actionKey struct{}

// WithAction says which mutation is under way in whatever is done with the
// context.
func WithAction(ctx context.Context, a *Action) context.Context {
	return context.WithValue(ctx, actionKey{}, a)
}

// ActionOf tells which mutation is under way; nil if none is.
func ActionOf(ctx context.Context) *Action {
	a, _ := ctx.Value(actionKey{}).(*Action)
	return a
}

// Entry is what the log is to keep of the action: who asks is known from the
// context, and err is how it ended.
func (a *Action) Entry(ctx context.Context, err error, results ...string) *Entry {
	e := &Entry{Caller: CallerOf(ctx), Operation: a.Operation, Arguments: a.Arguments, Results: results, Code: Done}
	if err != nil {
		e.Code = string(fault.KindOf(err))
	}
	return e
}

// SetRecorded says that the log has an entry of the action.
func (a *Action) SetRecorded() { a.recorded = true }

// Recorded reports whether the log has an entry of the action.
func (a *Action) Recorded() bool { return a.recorded }

// What of arguments is kept at most.
const (
	maxArguments = 8 << 10 // bytes of all
	maxText      = 200     // characters of each
	maxItems     = 20      // of each list
)

// NewAction is a mutation with its arguments, which hold no secrets as far as
// their types tell. They are cut to what is of use to those who read the log.
func NewAction(operation string, arguments map[string]any) *Action {
	text, err := json.Marshal(cut(arguments))
	if err != nil || len(text) > maxArguments {
		text = json.RawMessage(`{"…":"not kept"}`)
	}
	return &Action{Operation: operation, Arguments: text}
}

func cut(v any) any {
	switch v := v.(type) {
	case []any:
		var out []any
		for i, item := range v {
			if i == maxItems {
				return append(out, fmt.Sprintf("… and %d more", len(v)-i))
			}
			out = append(out, cut(item))
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, item := range v {
			out[cutText(name)] = cut(item)
		}
		return out
	case string:
		return cutText(v)
	}
	return v
}

var (
	tokens       = regexp.MustCompile(SecretPrefix + `[a-z2-7]{8,}`)
	userinfo     = regexp.MustCompile(`://[^/?#\s]*@`)
	withoutToken = SecretPrefix + "…"
)

// cutText also takes out of a text what looks like a token, or like the user and
// password of a URL, in case somebody put them where they do not belong.
func cutText(s string) string {
	s = userinfo.ReplaceAllString(tokens.ReplaceAllString(s, withoutToken), "://…@")
	if r := []rune(s); len(r) > maxText {
		return string(r[:maxText]) + "…"
	}
	return s
}
