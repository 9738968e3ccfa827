// Package page asks for and holds one page of a list that is ordered by a
// unique key, so that pages stay exact while rows are added.
package page

import "context"

// Limit is the largest page that may be asked for.
const Limit = 100

// Request asks for one page: the First items behind the key After, or the
// Last items before the key Before. Zero values mean no bound; neither First
// nor Last means the first page of DefaultSize.
type Request struct {
	First, Last   int
	After, Before string
}

// DefaultSize is the size of a page when a request names none.
const DefaultSize = 20

// Of is one page of a list.
type Of[T any] struct {
	Items       []Item[T]
	HasNext     bool
	HasPrevious bool
	// Count counts the whole list, without the page's bounds. It costs a query.
	Count func(context.Context) (int, error)
}

// Item is a member of a page with the key of its place in the list.
type Item[T any] struct {
	Node T
	Key  string
}

// Size returns how many items to read and whether they are the last ones.
func (r Request) Size() (n int, backward bool) {
	switch {
	case r.Last > 0:
		return min(r.Last, Limit), true
	case r.First > 0:
		return min(r.First, Limit), false
	}
	return DefaultSize, false
}
