package main

import (
	"context"
	"net/http"

	"ream/access"
	"ream/content"
	"ream/db"
	"ream/event"
	"ream/quota"
	"ream/resolvers"
	"ream/rest"
	"ream/task"
)

// stores gives to each caller what they may see of the database.
type stores struct {
	db  *db.DB
	all resolvers.Store
}

func newStores(store *db.DB) stores { return stores{store, resolvers.Gather(store.Within(""))} }

// Within is the database's own, by the name that resolvers know. All who may
// see everything share their questions.
func (s stores) Within(l access.Limit) resolvers.Store {
	if l == "" {
		return s.all
	}
	return s.db.Within(l)
}

// restStores is stores for the API over plain HTTP.
type restStores struct{ *db.DB }

// Within is the database's own, by the name that rest knows.
func (s restStores) Within(l access.Limit) rest.Store { return s.DB.Within(l) }

// isLimited reports whether a caller is limited to some repositories.
func isLimited(ctx context.Context) bool { return access.CallerOf(ctx).Limit != "" }

// sees tells whether the caller of a request may see a repository's content.
func sees(store *db.DB) func(context.Context, content.RepositoryID) (bool, error) {
	return func(ctx context.Context, id content.RepositoryID) (bool, error) {
		if !isLimited(ctx) {
			return true, nil
		}
		found, err := store.Within(access.CallerOf(ctx).Limit).RepositoriesByID(ctx, []content.RepositoryID{id})
		return err == nil && found[0] != nil, err
	}
}

// seesTopic tells whether a limited caller may follow a topic.
func seesTopic(store *db.DB) func(context.Context, event.Topic) (bool, error) {
	return func(ctx context.Context, topic event.Topic) (bool, error) {
		view := store.Within(access.CallerOf(ctx).Limit)
		if id, err := task.ParseGroupID(string(topic)); err == nil {
			found, err := view.GroupsByID(ctx, []task.GroupID{id})
			return err == nil && found[0] != nil, err
		}
		if id, err := task.ParseID(string(topic)); err == nil {
			found, err := view.TasksByID(ctx, []task.ID{id})
			return err == nil && found[0] != nil, err
		}
		return topic == event.Repositories || topic == event.Distributions, nil // of which everybody reads what they see
	}
}

// byCredentials makes one client of all who have the same credentials.
func byCredentials(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name := access.CallerOf(r.Context()).Credentials(); name != "" {
			r = r.WithContext(quota.WithClient(r.Context(), name))
		}
		next.ServeHTTP(w, r)
	})
}
