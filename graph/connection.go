package graph

import (
	"context"

	"ream/access"
	"ream/content"
	"ream/page"
	"ream/task"
)

// Connection is a page of a list, in the form that Relay asks for.
type Connection[T any] struct {
	Edges    []*Edge[T]
	PageInfo *PageInfo

	count func(context.Context) (int, error)
}

// Edge is an item in a list with its place there.
type Edge[T any] struct {
	Cursor string
	Node   T
}

// PageInfo tells where a page lies in its list.
type PageInfo struct {
	HasNextPage     bool
	HasPreviousPage bool
	StartCursor     *string // nil if the page is empty
	EndCursor       *string
}

// The connections and edges of the schema.
type (
	RemoteConnection            = Connection[*content.Remote]
	RemoteEdge                  = Edge[*content.Remote]
	RepositoryConnection        = Connection[*content.Repository]
	RepositoryEdge              = Edge[*content.Repository]
	RepositoryVersionConnection = Connection[*content.Version]
	RepositoryVersionEdge       = Edge[*content.Version]
	UnitConnection              = Connection[*content.Unit]
	UnitEdge                    = Edge[*content.Unit]
	UnitChangeConnection        = Connection[*content.UnitChange]
	UnitChangeEdge              = Edge[*content.UnitChange]
	PublicationConnection       = Connection[*content.Publication]
	PublicationEdge             = Edge[*content.Publication]
	PublishedEntryConnection    = Connection[*content.DirEntry]
	PublishedEntryEdge          = Edge[*content.DirEntry]
	ServedConnection            = Connection[*content.Served]
	ServedEdge                  = Edge[*content.Served]
	DistributionConnection      = Connection[*content.Distribution]
	DistributionEdge            = Edge[*content.Distribution]
	TaskConnection              = Connection[*task.Task]
	TaskEdge                    = Edge[*task.Task]
	FileUploadConnection        = Connection[*content.Upload]
	FileUploadEdge              = Edge[*content.Upload]
	SyncPreviewChangeConnection = Connection[*content.PreviewChange]
	SyncPreviewChangeEdge       = Edge[*content.PreviewChange]
	TaskFailureConnection       = Connection[*task.Failure]
	TaskFailureEdge             = Edge[*task.Failure]
	ContentFindingConnection    = Connection[*content.Finding]
	ContentFindingEdge          = Edge[*content.Finding]
	TaskGroupConnection         = Connection[*task.Group]
	TaskGroupEdge               = Edge[*task.Group]
	TokenConnection             = Connection[*access.Token]
	TokenEdge                   = Edge[*access.Token]
	AuditEntryConnection        = Connection[*access.Entry]
	AuditEntryEdge              = Edge[*access.Entry]
	ScheduleConnection          = Connection[*task.Schedule]
	ScheduleEdge                = Edge[*task.Schedule]
)

// Connect gives a page the form of a connection.
func Connect[T any](p *page.Of[T]) *Connection[T] {
	c := &Connection[T]{
		Edges:    make([]*Edge[T], len(p.Items)),
		PageInfo: &PageInfo{HasNextPage: p.HasNext, HasPreviousPage: p.HasPrevious},
		count:    p.Count,
	}
	for i, item := range p.Items {
		c.Edges[i] = &Edge[T]{Cursor: page.EncodeCursor(item.Key), Node: item.Node}
	}
	if n := len(c.Edges); n > 0 {
		c.PageInfo.StartCursor, c.PageInfo.EndCursor = &c.Edges[0].Cursor, &c.Edges[n-1].Cursor
	}
	return c
}

// Nodes are the items without their cursors.
func (c *Connection[T]) Nodes() []T {
	nodes := make([]T, len(c.Edges))
	for i, edge := range c.Edges {
		nodes[i] = edge.Node
	}
	return nodes
}

// TotalCount counts the whole list. It costs a query, so it is called only
// for those who ask.
func (c *Connection[T]) TotalCount(ctx context.Context) (int, error) { return c.count(ctx) }
