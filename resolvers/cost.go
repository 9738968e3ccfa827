package resolvers

import "github.com/vektah/gqlparser/v2/ast"

// price is what a field costs. The unit is about 10 µs of a core: what it takes
// to read an object of a page by its key, and to write it out.
type price struct {
	own   int // for each object that the field is asked of
	items int // how many objects it returns, where no argument tells
}

// prices are those of fields that cost more than others, as measured with
// 20,000 tasks. Any other field costs 1 if it returns objects, and nothing if
// it does not.
var prices = map[string]price{
	"Query.queue":                         {own: 100, items: 1}, // for those who are limited, it counts tasks
	"Query.diff":                          {own: 500},           // of two versions of 100,000 units with nothing in common
	"Queue.workers":                       {own: 1, items: 10},
	"Queue.throughput":                    {own: 5, items: 1},
	"Throughput.samples":                  {own: 1, items: 360},
	"Task.ahead":                          {own: 2},
	"Task.blockedBy":                      {own: 5},
	"Task.reservations":                   {own: 2, items: 2},
	"Reservation.holders":                 {own: 3, items: 2},
	"Task.reports":                        {own: 1, items: 3},
	"Task.created":                        {own: 1, items: 2},
	"Repository.labels":                   {own: 1, items: 3},
	"Schedule.upcoming":                   {own: 10},
	"Server.limits":                       {own: 1, items: 20},
	"Publication.entries":                 {own: 5},
	"PublishedEntryConnection.totalCount": {own: 500}, // of 100,000 names
}

// The prices of what many types have.
const (
	totalCountPrice = 50  // every row is counted
	mutationPrice   = 500 // it is written to the disk before it is answered
)

// priceOf is what a field costs, and how many objects it returns unless its
// arguments tell.
func priceOf(f *ast.Field) price {
	p, known := prices[f.ObjectDefinition.Name+"."+f.Name]
	switch {
	case known:
	case f.Name == "totalCount":
		p.own = totalCountPrice
	case f.ObjectDefinition.Name == "Mutation":
		p.own = mutationPrice
	case len(f.SelectionSet) > 0:
		p.own = 1
	}
	p.items = max(p.items, 1)
	return p
}
